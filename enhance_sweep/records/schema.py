"""What a record holds: its columns, what it cannot do without, and of what type each part is.

Records are edited by hand, cut short by full disks and written by older versions: what a reader counts on is checked
here once, so that nothing below has to.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

#: The paper's architectural axes, in the order in which it names a network: {kernel, channels, blocks}.
ARCHITECTURE_COLUMNS = ["topology", "kernel_size", "strided_kernel_size", "channels", "blocks", "prelu"]
TRAINED_COLUMNS = ["psnr_db", "ms_ssim"]
TIMED_COLUMNS = ["latency_ms_median", "latency_ms_iqr", "cpu_s_median", "peak_rss_mib", "peak_rss_delta_mib"]

STATUSES = ("running", "completed", "failed")


#: What a record must have to become a row; a dot steps into a mapping.
_NEEDED_BY_ALL = ["architecture_key", "architecture.topology"]
_OF_A_VARIANT = ["key", "status", "description.parameters", "description.macs"]
_OF_A_TIMING = [f"measurement.{name}" for name in ("runtime", "precision", "size", "threads", "allocator", "host")]
_CHALLENGE_COLUMNS = ["latency_s_mean", "memory_gib_mean"]
_NEEDED = {
    "trained": [
        *_OF_A_VARIANT,
        *(f"learned_from.{name}" for name in ("dataset", "data_fingerprint", "loss", "seed")),
        "environment",
    ],
    "timed": [*_OF_A_VARIANT, *_OF_A_TIMING],
    "export": [*_OF_A_VARIANT, *_OF_A_TIMING, "format", "precision", "bytes", "scores"],
    "challenge": [*_OF_A_TIMING, *_CHALLENGE_COLUMNS, "samples"],
}


#: What one that is completed has in addition.
_RESULT = {"trained": "steps", "timed": "latency_ms_median", "export": "bytes", "challenge": "samples"}


_TEXT, _MAPPING, _COUNT, _LIST = (str, "a text"), (dict, "a mapping"), (int, "a whole number"), (list, "a list")
#: Of what type readers count on something to be, where it is there at all; a dot steps into a mapping.
_TYPES: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    "key": _TEXT,
    "architecture_key": _TEXT,
    "architecture": _MAPPING,
    "architecture.topology": _TEXT,
    "reason": _TEXT,
    "failure": _TEXT,
    "attempts": _MAPPING,
    "micro_batches": _COUNT,
    "environment": _MAPPING,
    "environment.code": _TEXT,
    "environment.host": _TEXT,
    "environment.versions": _MAPPING,
    "environment.fingerprint": _MAPPING,
    **{f"learned_from.{name}": _TEXT for name in ("dataset", "data_fingerprint", "loss")},
    "learned_from.seed": ((int, str), "a number or a text"),
    "learned_from.batch_size": _COUNT,
    "learned_from.crop_size": _COUNT,
    "steps": _COUNT,
    "scores": _MAPPING,
    "scores.images": _COUNT,
    "scores.identical_pairs": _COUNT,
    "untouched": _MAPPING,
    "untouched.identical_pairs": _COUNT,
    "data": _MAPPING,
    "data.train_pairs": _COUNT,
    "quality": _LIST,
    **{f"measurement.{name}": _TEXT for name in ("runtime", "precision", "layout", "allocator", "host")},
    "measurement.threads": _COUNT,
    "format": _TEXT,
    "precision": _TEXT,
    "bytes": _COUNT,
}


def _by_holder(names: Iterable[str]) -> dict[str, list[str]]:
    """Names after their dot, by the mapping that holds them ("" is the record itself), which is looked up once."""
    held: dict[str, list[str]] = {}
    for name in names:
        holder, _, last = name.rpartition(".")
        held.setdefault(holder, []).append(last)
    return held


_TYPES_BY_HOLDER = {
    holder: [(last, *_TYPES[f"{holder}.{last}".lstrip(".")]) for last in lasts]
    for holder, lasts in _by_holder(_TYPES).items()
}
_LARGEST_COUNT = 2**62
_NEEDED_BY_KIND = {kind: _by_holder([*_NEEDED_BY_ALL, *names]) for kind, names in _NEEDED.items()}


def misshapen(record: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """What is not of the type that a reader counts on: its place, its value, what was expected."""
    yield from _mistyped(record)
    for place, value in _measures(record):
        if value is not None and not _is_number(value):
            yield place, value, "a number"
    if record["kind"] != "challenge" and record["status"] not in STATUSES:
        yield "status", record["status"], f"one of {', '.join(STATUSES)}"
    for name in ("started_at", "finished_at"):
        if not _is_time(record.get(name)):
            yield name, record[name], "a time such as 2026-01-02T03:04:05+00:00"
    if record["kind"] == "trained":
        attempts = record.get("attempts")
        if isinstance(attempts, dict) and any(type(count) is not int for count in attempts.values()):
            yield "attempts", attempts, "whole numbers"
        return
    size = record["measurement"]["size"]
    if not (isinstance(size, list) and len(size) == 2 and all(isinstance(side, int) for side in size)):
        yield "measurement.size", size, "width and height"
    yield from (_misshapen_challenge if record["kind"] == "challenge" else _misshapen_timing)(record)
    if record["kind"] == "export":
        yield from _misshapen_export(record)


def _mistyped(record: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    for holder, expectations in _TYPES_BY_HOLDER.items():
        part = record.get(holder) if holder else record
        if not isinstance(part, dict):
            continue  # none there, or said of the holder itself
        for name, kind, expected in expectations:
            value = part.get(name)
            if value is None:
                continue
            huge = isinstance(value, int) and (isinstance(value, bool) or abs(value) > _LARGEST_COUNT)
            if huge or not isinstance(value, kind):
                yield f"{holder}.{name}".lstrip("."), value, expected
    for one in record.get("quality") or []:
        if not (isinstance(one, dict) and isinstance(one.get("step"), int)):
            yield "quality", one, "what was noted at a step"


def _misshapen_timing(record: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    flags, check = record.get("flags", []), record.get("baseline_check")
    if not (isinstance(flags, list) and all(isinstance(flag, str) for flag in flags)):
        yield "flags", flags, "a list of sentences"
    if check is not None and not isinstance(check, dict):
        yield "baseline_check", check, "an interval"
    samples = record.get("samples") or {}
    processes = samples.get("processes", []) if isinstance(samples, dict) else None
    whole = isinstance(processes, list) and all(
        isinstance(process, dict) and isinstance(process.get("rounds"), list) and _are_calls(process["rounds"])
        for process in processes
    )
    if not whole:
        yield "samples", samples, "processes with rounds, each with a latency_ms"


def _misshapen_export(record: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    check, intervals = record.get("check"), record["scores"].get("intervals")
    if check is not None and not (isinstance(check, dict) and _are_measures(check, ("psnr_db", "max_abs_error"))):
        yield "check", check, "how close the file is to eager"
    if intervals is not None and not (
        isinstance(intervals, dict)
        and all(isinstance(one, dict) and _are_measures(one, ("mean", "low", "high")) for one in intervals.values())
    ):
        yield "scores.intervals", intervals, "intervals, each with mean, low and high"
    if not _are_measures(record, ("latency_ms_median", "eager_latency_ms_median", "peak_rss_mib")):
        yield "eager_latency_ms_median", record.get("eager_latency_ms_median"), "a number"


def _are_measures(part: Mapping[str, Any], names: Iterable[str]) -> bool:
    return all(part.get(name) is None or _is_number(part[name]) for name in names)


def _misshapen_challenge(record: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    latency_s, memory_gib = (record[name] for name in _CHALLENGE_COLUMNS)
    if not 0 < latency_s < math.inf:
        yield "latency_s_mean", latency_s, "a positive number"
    if not 0 <= memory_gib < math.inf:
        yield "memory_gib_mean", memory_gib, "no negative number"
    samples = record["samples"]
    if not (isinstance(samples, list) and samples and _are_calls(samples)):
        yield "samples", samples, "calls, each with a latency_ms"


def _are_calls(calls: Iterable[Any]) -> bool:
    return all(
        isinstance(one, dict)
        and _is_number(one.get("latency_ms"))
        and _are_conditions(one.get("conditions"))
        and _are_conditions(one.get("baseline_conditions"))
        for one in calls
    )


def _are_conditions(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and isinstance(value.get("disturbed_by") or [], list))


def _is_time(value: Any) -> bool:
    """Whether it is a time that a record gives, or none."""
    try:
        return value is None or datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _measures(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The numbers of a record that a table shows, with where they stand."""
    if record["kind"] == "challenge":
        yield from ((name, record[name]) for name in _CHALLENGE_COLUMNS)
        return
    for name in (*TIMED_COLUMNS, "train_wall_s"):
        yield name, record.get(name)
    for name in ("parameters", "macs"):
        yield f"description.{name}", record["description"][name]
    for group in ("scores", "untouched"):
        values = record.get(group) or {}
        for name in TRAINED_COLUMNS:
            yield f"{group}.{name}", values.get(name) if isinstance(values, dict) else values


def lacking(record: Mapping[str, Any]) -> list[str]:
    """What a record would need to become a row, and does not have."""
    kind = str(record.get("kind"))
    if kind not in _NEEDED_BY_KIND:
        return [f"a kind (one of {', '.join(_NEEDED_BY_KIND)})"]
    missing = [_RESULT[kind]] if record.get("status") == "completed" and record.get(_RESULT[kind]) is None else []
    for holder, names in _NEEDED_BY_KIND[kind].items():
        part = record.get(holder) if holder else record
        there = part if isinstance(part, dict) else {}
        missing += [f"{holder}.{name}".lstrip(".") for name in names if there.get(name) is None]
    return missing
