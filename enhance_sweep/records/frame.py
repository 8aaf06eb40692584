"""All that a folder of runs knows, as a table."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from enhance_sweep.records.schema import (
    ARCHITECTURE_COLUMNS,
    SCORE_COLUMNS,
    TIMED_COLUMNS,
    TRAINED_COLUMNS,
    Scores,
    TimedRecord,
    TrainedRecord,
)
from enhance_sweep.records.store import timed_records, trained_records
from enhance_sweep.system.waiting import DEFAULT

#: What `load_records` shows unless it is asked for something else.
DEFAULT_MEASUREMENT: Mapping[str, Any] = {
    "runtime": "eager",
    "precision": "fp32",
    "allocator": "tuned",
    "lowered": False,
}
#: Where a table carries the names of its further settings.
_SETTINGS = "further_settings"


def load_records(runs_dir: str | Path, measurement: Mapping[str, Any] | None = DEFAULT_MEASUREMENT) -> "pd.DataFrame":
    """All that a folder of runs knows, as a table.

    Args:
        runs_dir: the folder that `python -m enhance_sweep` wrote (`runs_dir=...`, `runs` unless set).
        measurement: which timings to join, by any of their fields (`runtime`, `precision`, `layout`, `size`,
            `threads`, `allocator`, `wait_policy`, `lowered`, `photograph`, `host`). Of those that fit, one that was
            completed comes before one that failed, the network as written before the lowered one, one with the baseline
            beside it before one without, one whose threads waited by default before one where the user had set it, the
            installed photograph before another, and then the newest. None: a row per pair of a trained variant and a
            timing of its architecture.

    Returns:
        A row per trained variant, joined with its timing where there is one, and a row without scores per
        architecture that was timed but not trained. Times are in ms or s, memory in MiB, as the columns' names say.
        Scores on the test pairs are named as in `enhance_sweep.measures`, and `chroma_ratio` is the outputs' color over
        the targets'; `untouched_...` are the same of the input itself, `validation_...` those on the validation pairs.
        `taught_by` names the teacher of a network that had one, `teacher_trained_on` what the teacher had learned from.
        Networks that learned from several data sets (`data=mix`) also have `ms_ssim_on_PART` and so on for each.
        Each further setting of a topology is a column, as the records have it, missing where a topology lacks it;
        `settings_of` names these columns. `roof_ms` is the least time that the convolutions could take on the host
        (`enhance_sweep.stats.roof`), `roof_share` that over the latency; missing where the host's rates are not known.

    Raises:
        FileNotFoundError: there is no such folder.
        RecordError: a file in it is not a record.
    """
    runs_dir = Path(runs_dir)
    if not runs_dir.is_dir():
        raise FileNotFoundError(
            f"no folder of runs at {runs_dir}: run `python -m enhance_sweep` first, or name the folder with --runs"
        )
    return join_records(trained_records(runs_dir), timed_records(runs_dir), measurement)


def join_records(
    trained: Iterable[TrainedRecord],
    timed: Iterable[TimedRecord],
    measurement: Mapping[str, Any] | None = DEFAULT_MEASUREMENT,
) -> "pd.DataFrame":
    """The table of `load_records`, from records that are already read.

    A failed timing is joined only where no timing of that architecture was completed, and a first look without the
    baseline beside it (`timing=quick`) only where there is no careful one.
    """
    trained, timed = list(trained), list(timed)
    timings = [_timed_row(record) for record in timed if not measurement or _fits(record, measurement)]
    timed_rows = pd.DataFrame(timings, dtype=object)
    trained_rows = pd.DataFrame([_trained_row(record) for record in trained], dtype=object)
    columns = _columns(trained_rows, timed_rows)
    if timings and measurement is not None:
        order = timed_rows.assign(
            completed=timed_rows["timing_status"] == "completed",
            as_written=timed_rows["lowered"] == False,  # noqa: E712 (a column)
            usual=timed_rows["wait_policy"] == DEFAULT,
            installed=timed_rows["photograph"].isna(),
        )
        ranks = ["completed", "as_written", "paired", "usual", "installed"]
        newest = order.sort_values([*ranks, "timed_at"], kind="stable").drop_duplicates("architecture_key", keep="last")
        timed_rows = newest.drop(columns=[name for name in ranks if name != "paired"])
    if timed_rows.empty:
        frame = trained_rows
    elif trained_rows.empty:
        frame = timed_rows
    else:
        shape = [c for c in timed_rows.columns if c in trained_rows.columns and c != "architecture_key"]
        frame = trained_rows.merge(timed_rows.drop(columns=shape), on="architecture_key", how="left")
        untrained = timed_rows[~timed_rows["architecture_key"].isin(trained_rows["architecture_key"])]
        frame = pd.concat([frame, untrained], ignore_index=True)
    frame = frame.reindex(columns=columns).astype(object)
    frame = _typed(frame.assign(key=frame["key"].where(frame["key"].notna(), frame["architecture_key"])))
    further = further_settings(record.architecture for record in (*trained, *timed))
    frame.attrs[_SETTINGS] = [name for name in further if name in frame]
    return frame


def further_settings(architectures: Iterable[Mapping[str, Any]]) -> list[str]:
    """The settings of architectures beyond `ARCHITECTURE_COLUMNS`, in the order in which records have them."""
    names = dict.fromkeys(name for architecture in architectures for name in architecture)
    return [name for name in names if name not in ARCHITECTURE_COLUMNS]


def settings_of(frame: "pd.DataFrame") -> list[str]:
    """The columns that describe a network: `ARCHITECTURE_COLUMNS`, and the further settings of its topologies.

    Args:
        frame: what `load_records` gave, or some of its rows. It carries the names of its further settings
            (`frame.attrs`), which pandas keeps when rows are chosen and columns added; in a table without them, such as
            one read from a CSV file, there are none.
    """
    return [*ARCHITECTURE_COLUMNS, *(name for name in frame.attrs.get(_SETTINGS, ()) if name in frame)]


def _fits(record: TimedRecord, measurement: Mapping[str, Any]) -> bool:
    wanted = {name: tuple(value) if isinstance(value, list) else value for name, value in measurement.items()}
    return all(getattr(record.measurement, name, None) == value for name, value in wanted.items())


def _trained_row(record: TrainedRecord) -> dict[str, Any]:
    learned_from, scores, untouched = record.learned_from, record.scores or Scores(), record.untouched or Scores()
    validation, teacher, unlabelled = record.validation, learned_from.teacher, learned_from.unlabelled
    return {
        "key": record.key,
        "status": record.status,
        "reason": record.reason,
        "architecture_key": record.architecture_key,
        **_architecture_row(record),
        **{name: getattr(scores, name) for name in SCORE_COLUMNS},
        **{f"untouched_{name}": getattr(untouched, name) for name in SCORE_COLUMNS},
        "test_images": scores.images,
        **_scores_of_parts(record),
        **{f"validation_{name}": validation and getattr(validation, name) for name in SCORE_COLUMNS},
        "dataset": learned_from.dataset,
        "data_fingerprint": learned_from.data_fingerprint,
        "loss": learned_from.loss,
        "content": learned_from.content,
        "taught_by": teacher and teacher.name,
        "teacher_weight": teacher and teacher.weight,
        "teacher_trained_on": teacher and teacher.trained_on_name,
        "unlabelled_photographs": unlabelled and unlabelled.photographs,
        "seed": learned_from.seed,
        "steps": record.steps,
        "batch_size": learned_from.batch_size,
        "crop_size": learned_from.crop_size,
        "train_wall_s": record.train_wall_s,
        "trained_at": record.finished_at,
        "trained_host": record.environment.host,
        "git_commit": record.environment.git_commit,
    }


def _scores_of_parts(record: TrainedRecord) -> dict[str, float | None]:
    """`MEASURE_on_PART` for each data set of a mix, and the same of the untouched input."""
    by_part = (("", record.scores_by_part), ("untouched_", record.untouched_by_part))
    return {
        f"{of}{measure}_on_{part}": getattr(scores, measure)
        for of, parts in by_part
        for part, scores in parts.items()
        for measure in SCORE_COLUMNS
    }


def is_of_a_part(column: str) -> bool:
    """Whether a column has scores on one data set of a mix."""
    return column.removeprefix("untouched_").startswith(tuple(f"{name}_on_" for name in SCORE_COLUMNS))


def _timed_row(record: TimedRecord) -> dict[str, Any]:
    measurement = record.measurement
    return {
        "architecture_key": record.architecture_key,
        **_architecture_row(record),
        **{name: getattr(record, name) for name in TIMED_COLUMNS},
        "roof_ms": record.roof and record.roof.ms,
        "roof_share": _share(record),
        "timing_status": record.status,
        "paired": bool(record.baseline),
        "runtime": measurement.runtime,
        "precision": measurement.precision,
        "layout": measurement.layout,
        "size": "x".join(map(str, measurement.size)),
        "threads": measurement.threads,
        "allocator": measurement.allocator,
        "wait_policy": measurement.wait_policy,
        "lowered": measurement.lowered,
        "photograph": measurement.photograph,
        "host": measurement.host,
        "measured_key": record.key,
        "timed_at": record.finished_at or "",
    }


def _share(record: TimedRecord) -> float | None:
    return record.roof.ms / record.latency_ms_median if record.roof and record.latency_ms_median else None


def _architecture_row(record: TrainedRecord | TimedRecord) -> dict[str, Any]:
    return {**record.architecture, "parameters": record.description.parameters, "macs": record.description.macs}


def _columns(*frames: "pd.DataFrame") -> list[str]:
    """The promised columns first, in a fixed order; then whatever else the records brought."""
    promised = ["key", "status", *ARCHITECTURE_COLUMNS, "parameters", "macs", *TRAINED_COLUMNS, *TIMED_COLUMNS]
    return list(dict.fromkeys([*promised, "architecture_key", *(c for frame in frames for c in frame.columns)]))


def _typed(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Numbers as nullable numbers, `prelu` as bool, so that a missing value is missing and not a 0 or a NaN string."""
    shape = ["kernel_size", "strided_kernel_size", "channels", "blocks", "parameters", "macs"]
    counts = [*shape, "steps", "seed", "threads", "batch_size", "crop_size", "test_images", "unlabelled_photographs"]
    measures = [*SCORE_COLUMNS, *TIMED_COLUMNS, "roof_ms", "roof_share", "train_wall_s", "teacher_weight"]
    measures += [f"{of}_{measure}" for of in ("untouched", "validation") for measure in SCORE_COLUMNS]
    measures += [name for name in map(str, frame) if is_of_a_part(name)]
    for name in [*counts, *measures]:
        if name not in frame:
            continue
        column = frame[name]
        # A new topology may have what is no number here, a list of channels for one: that is left as it is.
        with suppress(TypeError, ValueError, OverflowError):
            frame[name] = column.astype("Int64") if name in counts else column.astype("float64")
    return frame.assign(prelu=frame["prelu"].map(lambda value: value is True).astype(bool))
