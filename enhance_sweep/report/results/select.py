"""Select what a report shows: one data set, one loss, one version of the code, one timing per network."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from msgspec.structs import asdict

from enhance_sweep.paper import BASELINE_SLUG
from enhance_sweep.records.code_versions import canonical
from enhance_sweep.records.frame import DEFAULT_MEASUREMENT
from enhance_sweep.records.schema import Measurement, TimedRecord, TrainedRecord
from enhance_sweep.report.results.words import differences

#: The value of `--code` that takes all versions of the code.
ALL_CODE = "all"


class ReportError(Exception):
    """There is no report; the message says why, and what to do."""


@dataclass(frozen=True)
class Condition:
    """One of several ways in which rows of one report were trained or timed: a mark for the rows, and its meaning."""

    mark: str
    meaning: str
    rows: int


# --- one data set, one loss, one version of the code ------------------------------------------------------------------


def one_data_set(trained: Sequence[TrainedRecord], wanted: str | None) -> list[TrainedRecord]:
    """The records of one data set: the only one, or `wanted`, `NAME` or `NAME@FINGERPRINT`.

    Raises:
        ReportError: there are several and no choice between them, or none of that name.
    """
    identities = [(record.learned_from.dataset, record.learned_from.data_fingerprint) for record in trained]
    versions = Counter(name for name, _ in set(identities))
    full = [f"{name}@{version}" for name, version in identities]
    # The shortest names that no other data set has; each may be chosen by its full name, too.
    names = [name if versions[name] == 1 else long for (name, _), long in zip(identities, full, strict=True)]
    return _choose(trained, "data set", "--data", wanted, names, full)


def one_loss(trained: Sequence[TrainedRecord], wanted: str | None) -> list[TrainedRecord]:
    """The records of one loss: the only one, or `wanted`; raises as `one_data_set`."""
    return _choose(trained, "loss", "--loss", wanted, [record.learned_from.loss for record in trained])


def one_code(trained: Sequence[TrainedRecord], wanted: str | None) -> list[TrainedRecord]:
    """The records of one version of the code: the only one, or `wanted`; raises as `one_data_set`.

    All records if `wanted` is `ALL_CODE`.
    """
    if wanted == ALL_CODE:
        return list(trained)
    return _choose(trained, "version of the code", "--code", wanted, [code_of(record) for record in trained])


def code_of(record: TrainedRecord) -> str:
    """The version of the code that trained a network; older records do not say."""
    digests = (record.environment.code or "unknown").split("+")
    return "+".join(dict.fromkeys(canonical(digest) for digest in digests))


def _choose(
    records: Sequence[TrainedRecord], what: str, option: str, wanted: str | None, *names: Sequence[str]
) -> list[TrainedRecord]:
    """The records that have the only name there is, or `wanted`: among the `names` shown, and further ones."""
    counts = Counter(names[0])
    listing = ", ".join(f"{name} ({count:,})" for name, count in sorted(counts.items()))
    if wanted is None:
        if len(counts) > 1:
            mixed = f", or {option} {ALL_CODE}" if option == "--code" else ""
            raise ReportError(
                f"a report is of one {what}, and these runs hold {len(counts)} of them (with so many trained "
                f"variants): {listing}. Choose one with {option} NAME{mixed}"
            )
        return list(records)
    chosen = [record for record, *own in zip(records, *names, strict=True) if wanted in own]
    if not chosen:
        raise ReportError(f"{option} {wanted}: these runs hold {listing or f'no trained variant of any {what}'}")
    return chosen


# --- timings ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Timings:
    """One timing per architecture, all of one runtime, precision and allocator, and what they were measured on.

    Attributes:
        chosen: the timings.
        mark_of: the mark of how each architecture was timed, by its key.
        baseline_ms: the baseline's latency under the same measurement, by the key of each architecture that has one.
        conditions: the different measurements, the first of most networks.
        failed: of architectures that have no other timing.
        others: the runtimes, precisions and allocators that are left out, with their numbers.
    """

    chosen: list[TimedRecord]
    mark_of: Mapping[str, str]
    baseline_ms: Mapping[str, float]
    conditions: list[Condition]
    failed: list[TimedRecord]
    others: list[str]

    @classmethod
    def choose(cls, timed: Sequence[TimedRecord], of_interest: set[str], slugs: Mapping[str, str]) -> "Timings":
        """Choose among all timings of a folder.

        Args:
            timed: the timings.
            of_interest: keys of the trained architectures; the measurement that most of them share comes first.
            slugs: short names of architectures, by key.
        """
        kinds = Counter(_kind(record) for record in timed if is_timed(record))
        default = tuple(DEFAULT_MEASUREMENT.values())
        kind = default if default in kinds or not kinds else kinds.most_common(1)[0][0]
        groups: dict[Measurement, list[TimedRecord]] = {}
        failed: dict[str, TimedRecord] = {}
        for record in sorted((one for one in timed if _kind(one) == kind), key=when):
            if is_timed(record):
                groups.setdefault(record.measurement, []).append(record)
            elif record.status == "failed":
                failed[record.architecture_key] = record
        baselines = {group: _baseline_ms(members, slugs) for group, members in groups.items()}

        def reach(group: Measurement) -> tuple[int, bool, str]:
            keys = {record.architecture_key for record in groups[group]}
            return len(keys & of_interest) or len(keys), baselines[group] is not None, when(groups[group][-1])

        order = sorted(groups, key=reach, reverse=True)

        def rank(record: TimedRecord) -> tuple[bool, bool, bool, str]:
            """The first measurement comes before others, then what has a baseline beside it, then the newest."""
            group = record.measurement
            return group == order[0], baselines[group] is not None, bool(record.baseline), when(record)

        usable = [record for group in order for record in groups[group]]
        best = {record.architecture_key: record for record in sorted(usable, key=rank)}
        chosen = {record.architecture_key: best[record.architecture_key] for record in usable}
        counts = Counter(record.measurement for record in chosen.values())
        used = [group for group in order if group in counts]
        marks = {group: f"T{number}" for number, group in enumerate(used, start=1)}
        meanings = differences([asdict(group) for group in used])
        found = {key: baselines[record.measurement] for key, record in chosen.items()}
        return cls(
            chosen=list(chosen.values()),
            mark_of={key: marks[record.measurement] for key, record in chosen.items()},
            baseline_ms={key: ms for key, ms in found.items() if ms is not None},
            conditions=[Condition(marks[g], text, counts[g]) for g, text in zip(used, meanings, strict=True)],
            failed=[record for key, record in failed.items() if key not in chosen],
            others=[f"{_in_words(other)} ({count:,})" for other, count in kinds.items() if other != kind],
        )


def _baseline_ms(timed: Sequence[TimedRecord], slugs: Mapping[str, str]) -> float | None:
    """The baseline's latency, from the newest (last) timing; timings with the baseline beside them come first."""
    found = [record for record in timed if slugs[record.architecture_key] == BASELINE_SLUG]
    paired = [record for record in found if record.baseline]
    return (paired or found)[-1].latency_ms_median if found else None


_kind_of = attrgetter(*DEFAULT_MEASUREMENT)


def _kind(record: TimedRecord) -> tuple[Any, ...]:
    return _kind_of(record.measurement)


def _in_words(kind: tuple[Any, ...]) -> str:
    """`openvino, bf16, tuned, lowered`: flags by their names, where they are on."""
    named = zip(DEFAULT_MEASUREMENT, kind, strict=True)
    words = [(name if value else "") if isinstance(value, bool) else str(value) for name, value in named]
    return ", ".join(filter(None, words))


def when(record: TimedRecord) -> str:
    """When a record was finished, as a sort key; "" if unknown."""
    return record.finished_at or ""


def is_timed(record: TimedRecord) -> bool:
    """Whether it has a latency."""
    latency_ms = record.latency_ms_median
    return record.status == "completed" and latency_ms is not None and 0 < latency_ms < math.inf
