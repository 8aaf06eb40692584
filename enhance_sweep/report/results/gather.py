"""What a folder of runs says, before it is shown: one data set and loss, seeds pooled, speed-ups computed."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from enhance_sweep.frontier import pareto_front
from enhance_sweep.paper import BASELINE_SLUG, published_table
from enhance_sweep.records.code_versions import canonical
from enhance_sweep.records.frame import DEFAULT_MEASUREMENT, join_records
from enhance_sweep.records.keys import architecture_slug
from enhance_sweep.records.schema import ARCHITECTURE_COLUMNS, TIMED_COLUMNS
from enhance_sweep.records.store import RecordError, challenge_records, export_records, timed_records, trained_records
from enhance_sweep.report.labels import network_label, spreadsheet_letters
from enhance_sweep.report.results.evidence import MEASURES, Evidence, read_scores, weigh
from enhance_sweep.stats.speed_up import RESAMPLES, Ratio, speed_ups

Record = Any

#: Parts of `learned_from` that the report is about as a whole, or that are pooled.
#: Instead of one version of the code, whatever there is.
ALL_CODE = "all"

_NOT_A_CONDITION = ("dataset", "data_fingerprint", "loss", "seed")
#: The fields of a measurement by which `load_records` chooses unless it is told otherwise.
_CHOSEN_BY = tuple(DEFAULT_MEASUREMENT)
#: Intervals of more timings than this rest on fewer resamples, so that a report of thousands takes seconds.
_MANY_TIMINGS, _RESAMPLES_OF_MANY = 1000, 200


class ReportError(Exception):
    """Why there is no report, in words for the person who asked for one."""


@dataclass(frozen=True)
class Condition:
    """One of several ways in which rows of one report were trained or timed: a mark for the rows, and its meaning."""

    mark: str
    meaning: str
    rows: int


@dataclass(frozen=True)
class Problem:
    """A variant that failed to train or to be timed."""

    label: str
    what: str
    reason: str


@dataclass(frozen=True, eq=False)  # one is equal to itself alone, and can be a key
class Results:
    """All that the report shows.

    `variants` has a row per network and training condition (its seeds averaged), and a row per network that was timed
    and not trained. Columns, beside those of `load_records`:

    - `slug`, `label`; `published`: 1 or 2, the paper's table, or missing;
    - `trained`: completed, unfinished, failed or missing; `seeds`; `condition`: the mark of how it was trained;
    - `timing`: the mark of how it was timed; `timed_elsewhere`: on another host than most, whose latencies are left
      out; `timing_failed`; `timing_flags`: why not to believe it, in its own words;
    - `speed_up`; where the baseline was called in the same rounds, `paired_speed_up` and its 95% interval
      `speed_up_low`, `speed_up_high`;
    - how sure the figures are: `ms_ssim_error`, `psnr_db_error`, `vs_baseline`, `vs_baseline_low`, `vs_baseline_high`,
      `frontier_probability`, `beats`, `beaten_by`, `beats_baseline` (see `enhance_sweep.report.results.evidence`);
    - `gain_psnr_db`, `gain_ms_ssim`: above the untouched input; `below_untouched`;
    - `cost`: small is fast, in the unit that `cost_kind` names; `on_frontier`;
    - `record`: the index in `trained` of its first seed.

    `row_of` has for each record of `trained` the row in which its scores are pooled, None for one without.
    """

    runs: Path
    dataset: str | None
    fingerprint: str | None
    loss: str | None
    one_of_several_losses: bool
    variants: pd.DataFrame
    cost_kind: str
    evidence: Evidence
    trained: list[Record] = field(repr=False)
    row_of: list[int | None] = field(repr=False)
    timed: list[Record] = field(repr=False)
    every_timing: list[Record] = field(repr=False)
    challenges: list[Record] = field(repr=False)
    exports: list[Record] = field(repr=False)
    training_conditions: list[Condition]
    timing_conditions: list[Condition]
    problems: list[Problem]
    unfinished: list[str]
    other_measurements: list[str]

    @property
    def scored(self) -> pd.DataFrame:
        """The networks that have an MS-SSIM."""
        return self.variants[self.variants["ms_ssim"].notna()]

    @property
    def frontier(self) -> pd.DataFrame:
        """The networks that no other beats, fastest first."""
        return self.variants[self.variants["on_frontier"]].sort_values(["cost", "ms_ssim"], kind="stable")

    @property
    def untouched(self) -> dict[str, float | None]:
        """The scores of the untouched input, as most rows have them."""
        return {name: _usual(self.variants[f"untouched_{name}"]) for name in MEASURES}

    @property
    def codes(self) -> Counter[str]:
        """How many networks each version of the code has trained."""
        return Counter(code_of(record) for record in self.trained)

    def trainings(self, row: int) -> list[Record]:
        """The records that a row's scores are the mean of, by seed."""
        return sorted(self._pooled.get(row, []), key=lambda record: str(record["learned_from"]["seed"]))

    @cached_property
    def _pooled(self) -> dict[int, list[Record]]:
        pooled: dict[int, list[Record]] = {}
        for record, row in zip(self.trained, self.row_of, strict=True):
            if row is not None:
                pooled.setdefault(row, []).append(record)
        return pooled

    @property
    def steps(self) -> list[int]:
        """The different numbers of generator steps of the trained networks, most frequent first."""
        return [int(steps) for steps in self.variants["steps"].dropna().value_counts().index]


def gather(runs: str | Path, data: str | None = None, loss: str | None = None, code: str | None = None) -> Results:
    """Read a folder of runs and compute what its report shows.

    Args:
        runs: the folder that `python -m enhance_sweep` wrote.
        data: the data set to report, `NAME` or `NAME@FINGERPRINT`, where the folder holds several.
        loss: the loss preset to report, where the folder holds several.
        code: the version of the code that trained, where there were several: its digest, or `all` to mix them.

    Raises:
        ReportError: there is nothing to report, or several data sets, losses or versions and no choice between them.
    """
    runs = Path(runs)
    if not runs.is_dir():
        raise ReportError(
            f"no folder of runs at {runs}: run `python -m enhance_sweep` first, or name the folder with --runs"
        )
    try:
        trained: list[Record] = list(trained_records(runs))
        timed: list[Record] = list(timed_records(runs))
        challenges: list[Record] = list(challenge_records(runs))
        exports: list[Record] = list(export_records(runs))
    except RecordError as error:
        raise ReportError(str(error)) from error
    if not trained and not timed and not challenges:
        raise ReportError(f"{runs} holds no records yet: run `python -m enhance_sweep` first")
    trained = _choose(trained, "data set", "--data", data, _data_names(trained))
    losses = [str(record["learned_from"]["loss"]) for record in trained]
    chosen = _choose(trained, "loss", "--loss", loss, [(name, [name]) for name in losses])
    if code != ALL_CODE:
        versions = [code_of(record) for record in chosen]
        chosen = _choose(chosen, "version of the code", "--code", code, [(name, [name]) for name in versions])
    learned_from = chosen[0]["learned_from"] if chosen else {}
    timings = _Timings.choose(timed, {record["architecture_key"] for record in chosen})
    ratios = _speed_ups(timings.chosen)
    variants, conditions, row_of = _variants(chosen, timings, ratios)
    variants, cost_kind = _with_frontier(variants)
    scores = read_scores(runs, chosen, row_of, len(variants))
    untouched = _usual(variants["untouched_ms_ssim"])
    variants, evidence = weigh(variants, scores, ratios, cost_kind == "speed_up", untouched)
    return Results(
        runs=runs,
        dataset=learned_from.get("dataset"),
        fingerprint=learned_from.get("data_fingerprint"),
        loss=learned_from.get("loss"),
        one_of_several_losses=len(set(losses)) > 1,
        variants=variants,
        cost_kind=cost_kind,
        evidence=evidence,
        trained=chosen,
        row_of=row_of,
        timed=timings.chosen,
        every_timing=timed,
        challenges=challenges,
        exports=exports,
        training_conditions=conditions,
        timing_conditions=timings.conditions,
        problems=_problems(chosen, timings),
        unfinished=[_record_label(record) for record in chosen if record["status"] == "running"],
        other_measurements=timings.others,
    )


# --- one data set, one loss -------------------------------------------------------------------------------------------


def _data_names(trained: Sequence[Record]) -> list[tuple[str, list[str]]]:
    """For each record the shortest name of its data that no other data has, and all the names that choose it."""
    identities = [(str(r["learned_from"]["dataset"]), str(r["learned_from"]["data_fingerprint"])) for r in trained]
    versions = Counter(name for name, _ in set(identities))
    return [
        (name if versions[name] == 1 else f"{name}@{print_}", [f"{name}@{print_}", *([name] * (versions[name] == 1))])
        for name, print_ in identities
    ]


def code_of(record: Record) -> str:
    """The version of the code that trained a network; older records do not say."""
    digests = str(record["environment"].get("code") or "unknown").split("+")
    return "+".join(dict.fromkeys(canonical(digest) for digest in digests))


def _choose(
    records: Sequence[Record], what: str, option: str, wanted: str | None, names: Sequence[tuple[str, list[str]]]
) -> list[Record]:
    """The records of one data set or loss: the only one, or the one that was asked for."""
    counts = Counter(shown for shown, _ in names)
    listing = ", ".join(f"{name} ({count:,})" for name, count in sorted(counts.items()))
    if wanted is None:
        if len(counts) > 1:
            mixed = f", or {option} {ALL_CODE}" if option == "--code" else ""
            raise ReportError(
                f"a report is of one {what}, and these runs hold {len(counts)} of them (with so many trained "
                f"variants): {listing}. Choose one with {option} NAME{mixed}"
            )
        return list(records)
    chosen = [record for record, (_, answers) in zip(records, names, strict=True) if wanted in answers]
    if not chosen:
        raise ReportError(f"{option} {wanted}: these runs hold {listing or f'no trained variant of any {what}'}")
    return chosen


# --- timings ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Timings:
    """One timing per architecture, all of one runtime, precision and allocator, and what they were measured on."""

    chosen: list[Record]
    groups: list[str]
    marks: dict[str, str]
    baseline_ms: dict[str, float]
    conditions: list[Condition]
    failed: list[Record]
    others: list[str]

    @classmethod
    def choose(cls, timed: Sequence[Record], of_interest: set[str]) -> "_Timings":
        done = [record for record in timed if is_timed(record)]
        kinds = Counter(_kind(record) for record in done)
        default = tuple(DEFAULT_MEASUREMENT.values())
        kind = default if default in kinds or not kinds else kinds.most_common(1)[0][0]
        here = [record for record in done if _kind(record) == kind]
        by_group: dict[str, list[Record]] = {}
        for record in sorted(here, key=_when):
            by_group.setdefault(_canonical(record["measurement"].as_json()), []).append(record)
        baseline_ms = {
            group: float(record["latency_ms_median"])
            for group, members in by_group.items()
            for record in sorted(members, key=_paired)  # and oldest first, so that the newest stays
            if architecture_slug(record["architecture"]) == BASELINE_SLUG
        }

        def reach(group: str) -> tuple[int, bool, str]:
            keys = {record["architecture_key"] for record in by_group[group]}
            return len(keys & of_interest) or len(keys), group in baseline_ms, _when(by_group[group][-1])

        order = sorted(by_group, key=reach, reverse=True)
        newest: dict[str, tuple[tuple[bool, bool, bool, str], str, Record]] = {}
        for group in order:
            for record in by_group[group]:
                rank = (group == order[0], group in baseline_ms, _paired(record), _when(record))
                key = record["architecture_key"]
                if key not in newest or rank >= newest[key][0]:
                    newest[key] = (rank, group, record)
        groups = [group for _, group, _ in newest.values()]
        used = [group for group in order if group in set(groups)]
        marks = {group: f"T{number}" for number, group in enumerate(used, start=1)}
        meanings = _differences([json.loads(group) for group in used])
        counts = Counter(groups)
        failed: dict[str, Record] = {}
        for record in sorted(timed, key=_when):
            if record["status"] == "failed" and _kind(record) == kind and record["architecture_key"] not in newest:
                failed[record["architecture_key"]] = record
        return cls(
            chosen=[record for _, _, record in newest.values()],
            groups=groups,
            marks=marks,
            baseline_ms=baseline_ms,
            conditions=[Condition(marks[g], text, counts[g]) for g, text in zip(used, meanings, strict=True)],
            failed=list(failed.values()),
            others=[f"{', '.join(map(str, other))} ({count:,})" for other, count in kinds.items() if other != kind],
        )


def _kind(record: Record) -> tuple[Any, ...]:
    return tuple(record["measurement"].get(name) for name in _CHOSEN_BY)


def _when(record: Record) -> str:
    return str(record.get("finished_at") or "")


def is_timed(record: Record) -> bool:
    """Whether it has a latency."""
    return record["status"] == "completed" and _positive(record.get("latency_ms_median"))


def _paired(record: Record) -> bool:
    """Whether the baseline was timed beside it."""
    return bool(record.get("baseline"))


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value > 0


# --- variants ---------------------------------------------------------------------------------------------------------


def _usual(column: "pd.Series[Any]") -> float | None:
    """The most frequent value."""
    known = column.dropna()
    return float(known.mode().iloc[0]) if len(known) else None


def _variants(
    trained: Sequence[Record], timings: _Timings, ratios: Mapping[str, Ratio]
) -> tuple[pd.DataFrame, list[Condition], list[int | None]]:
    """A row per network and training condition, with its timing; the conditions, the most frequent first; for each
    record the row in which its scores are pooled.
    """
    rows = join_records(trained, [*timings.chosen, *timings.failed], measurement=None)
    # There is at most one timing of an architecture here, so the first rows are the records in their order.
    rows["record"] = pd.array([*range(len(trained)), *[None] * (len(rows) - len(trained))], dtype="Int64")
    for name in ("dataset", "seed", "steps", "test_images", "untouched_psnr_db", "untouched_ms_ssim", "timing_status"):
        if name not in rows:
            rows[name] = None
    architectures = {
        record["architecture_key"]: record["architecture"] for record in (*trained, *timings.chosen, *timings.failed)
    }
    keys = [_condition_of(record) for record in trained]
    rows["condition_key"] = [*keys, *[""] * (len(rows) - len(trained))]
    completed = rows[rows["status"] == "completed"]
    timed_only = rows[rows["status"].isna()]
    # An architecture that has only failed or unfinished records is still one that someone wanted.
    tried = rows[
        rows["status"].isin(["running", "failed"]) & ~rows["architecture_key"].isin(completed["architecture_key"])
    ]
    tried = tried.sort_values("status", ascending=False).drop_duplicates("architecture_key")

    pooled = completed.drop_duplicates(["architecture_key", "condition_key"]).copy()
    if len(completed):
        groups = completed.groupby(["architecture_key", "condition_key"], sort=False)
        means = ["psnr_db", "ms_ssim", "untouched_psnr_db", "untouched_ms_ssim"]
        pooled[means] = groups[means].mean().astype("float64").to_numpy()
        pooled["seeds"] = groups["seed"].agg(lambda seeds: " ".join(map(str, sorted(set(seeds), key=str)))).to_numpy()
    parts = [part for part in (pooled, tried, timed_only) if len(part)]
    variants = pd.concat(parts, ignore_index=True) if parts else pooled.reset_index(drop=True)
    if "seeds" not in variants:
        variants["seeds"] = None

    counts = Counter(pooled["condition_key"])
    order = [key for key, _ in counts.most_common()]
    marks = {key: spreadsheet_letters(index) for index, key in enumerate(order)}
    meanings = _differences([json.loads(key) for key in order])
    conditions = [Condition(marks[key], text, counts[key]) for key, text in zip(order, meanings, strict=True)]

    group_of = dict(zip((r["architecture_key"] for r in timings.chosen), timings.groups, strict=True))
    variants["condition"] = variants["condition_key"].map(marks)
    timing_group = variants["architecture_key"].map(group_of)
    variants["timing"] = timing_group.map(timings.marks)
    baseline_ms = timing_group.map(timings.baseline_ms).astype("float64")
    # 1 for the baseline itself, whatever its noise; its interval says how large that was.
    slug_of = {key: architecture_slug(architecture) for key, architecture in architectures.items()}
    medians = {key: 1.0 if slug_of[key] == BASELINE_SLUG else ratio.median for key, ratio in ratios.items()}
    variants["paired_speed_up"] = variants["architecture_key"].map(medians).astype("float64")
    for end in ("low", "high"):
        ends = {key: getattr(ratio, end) for key, ratio in ratios.items()}
        variants[f"speed_up_{end}"] = variants["architecture_key"].map(ends).astype("float64")
    unpaired = baseline_ms / variants["latency_ms_median"].astype("float64")
    variants["speed_up"] = variants["paired_speed_up"].fillna(unpaired)
    # A column never mixes hosts: of networks timed elsewhere only the ratio to the baseline there is shown.
    host = variants.get("host", pd.Series(None, index=variants.index, dtype=object))
    usual_host = next(iter(host[variants["timing"] == "T1"]), None)
    variants["timed_elsewhere"] = variants["timing"].notna() & (host != usual_host)
    variants.loc[variants["timed_elsewhere"], TIMED_COLUMNS] = float("nan")
    flags = {record["architecture_key"]: "; ".join(map(str, record.get("flags") or [])) for record in timings.chosen}
    variants["timing_flags"] = [flags.get(key, "") for key in variants["architecture_key"]]
    label_of = {key: network_label(architecture) for key, architecture in architectures.items()}
    variants["slug"] = variants["architecture_key"].map(slug_of)
    variants["label"] = variants["architecture_key"].map(label_of)
    table_of = {slug: table for table in (1, 2) for slug in published_table(table)["slug"]}
    variants["published"] = variants["slug"].map(table_of).astype("Int64")
    variants["timing_failed"] = variants["timing_status"] == "failed"
    variants["trained"] = variants["status"].map(
        {"completed": "completed", "running": "unfinished", "failed": "failed"}
    )
    for name in ("psnr_db", "ms_ssim"):
        variants[f"untouched_{name}"] = variants[f"untouched_{name}"].astype("float64")
        variants[f"gain_{name}"] = variants[name] - variants[f"untouched_{name}"]
    variants["below_untouched"] = variants["gain_ms_ssim"] < 0
    place = {
        (architecture, condition): row
        for row, (architecture, condition, state) in enumerate(
            zip(variants["architecture_key"], variants["condition_key"], variants["trained"], strict=True)
        )
        if state == "completed"
    }
    row_of = [
        place.get((record["architecture_key"], key)) if record["status"] == "completed" else None
        for record, key in zip(trained, keys, strict=True)
    ]
    return variants.drop(columns=["condition_key"]), conditions, row_of


def _speed_ups(records: Sequence[Record]) -> dict[str, Ratio]:
    """The speed-up of each timing that had the baseline beside it, by `architecture_key`."""
    resamples = RESAMPLES if len(records) <= _MANY_TIMINGS else _RESAMPLES_OF_MANY
    found = speed_ups([record.get("samples") or {} for record in records], resamples)
    keys = [record["architecture_key"] for record in records]
    return {key: ratio for key, ratio in zip(keys, found, strict=True) if ratio is not None}


def _condition_of(record: Record) -> str:
    """What a row's scores depend on beside the network, the data, the loss and the seed; as canonical JSON."""
    learned_from = {n: v for n, v in record["learned_from"].items() if n not in _NOT_A_CONDITION}
    scores = record.get("scores") or {}
    return _canonical(learned_from | {"steps": record.get("steps"), "test images": scores.get("images")})


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _differences(conditions: Sequence[Mapping[str, Any]]) -> list[str]:
    """For each of several conditions, what sets it apart from the others."""
    names = sorted({name for condition in conditions for name in condition})
    differing = [name for name in names if len({_canonical(condition.get(name)) for condition in conditions}) > 1]
    return [
        ", ".join(f"{name.replace('_', ' ')} {plain_text(condition.get(name))}" for name in differing)
        for condition in conditions
    ]


def in_order(variants: pd.DataFrame) -> pd.DataFrame:
    """The rows by topology and then by size, as a reader would look for them."""
    sizes = {name: pd.to_numeric(variants[name], errors="coerce") for name in ARCHITECTURE_COLUMNS[1:-1]}
    keys = pd.DataFrame({"topology": variants["topology"], **sizes, "prelu": variants["prelu"]}, index=variants.index)
    keys = keys.assign(slug=variants["slug"], condition=variants["condition"])
    return variants.loc[keys.sort_values([str(name) for name in keys], kind="stable").index]


def rows_of(variants: pd.DataFrame) -> list[Any]:
    """The rows as named tuples, `Index` the row's number."""
    return list(variants.itertuples())


def plain_text(value: Any) -> str:
    """A value from a record in words: mappings and lists spelled out, nothing of Python's or JSON's notation."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        # A configured part is named by its class: `ColorLoss (sigma 3.0, amplitude 0.053)`.
        target = str(value.get("_target_", "")).rpartition(".")[2]
        parts = [_named(str(name), item) for name, item in value.items() if name != "_target_"]
        inner = ", ".join(parts)
        return (f"{target} ({inner})" if inner else target) if target else inner or "none"
    if isinstance(value, list | tuple):
        return ", ".join(plain_text(item) for item in value) or "none"
    if isinstance(value, int) and abs(value) >= 10_000:
        return f"{value:,}"
    return str(value)


def _named(name: str, value: Any) -> str:
    nested = isinstance(value, Mapping) and value and "_target_" not in value
    return f"{name.replace('_', ' ')} " + (f"({plain_text(value)})" if nested else plain_text(value))


def _with_frontier(variants: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Mark the frontier, on the best measure of cost that there is.

    Speed-ups may be compared between hosts, being ratios to a baseline timed beside them; latencies may not, so
    without a baseline only the rows of the first timing condition count. Multiply-adds stand in where nothing is timed.
    """
    scored = variants[variants["ms_ssim"].notna()]
    if scored["speed_up"].notna().any():
        kind, cost = "speed_up", 1.0 / variants["speed_up"]
    elif scored["latency_ms_median"].notna().any():
        kind, cost = "latency_ms", variants["latency_ms_median"].where(variants["timing"] == "T1")
    else:
        kind, cost = "macs", variants["macs"].astype("float64")
    variants = variants.assign(cost=cost.astype("float64"))
    front = pareto_front(variants, cost="cost", quality="ms_ssim").index
    return variants.assign(on_frontier=variants.index.isin(front)), kind


def _record_label(record: Record) -> str:
    seed = record["learned_from"].get("seed") if record["kind"] == "trained" else None
    return network_label(record["architecture"]) + ("" if seed is None else f" (seed {seed})")


def _problems(trained: Iterable[Record], timings: _Timings) -> list[Problem]:
    failed = [("training", record) for record in trained if record["status"] == "failed"]
    failed += [("timing", record) for record in timings.failed]
    return [
        Problem(_record_label(record), what, str(record.get("reason") or "no reason was written down"))
        for what, record in failed
    ]
