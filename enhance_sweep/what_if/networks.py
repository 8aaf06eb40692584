"""Turn rows of records into networks: average seeds, and combine only results of equal training or timing."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from enhance_sweep.records.frame import settings_of
from enhance_sweep.records.schema import ARCHITECTURE_COLUMNS, SCORE_COLUMNS, TIMED_COLUMNS
from enhance_sweep.stats.pooling import pooled_deviation

#: What a score depends on beside the network and the seed, as far as a table of records shows it. `condition` is the
#: report's name for all of it.
TRAINED_ALIKE = (
    "dataset",
    "data_fingerprint",
    "loss",
    "content",
    "taught_by",
    "teacher_weight",
    "unlabelled_photographs",
    "steps",
    "batch_size",
    "crop_size",
    "test_images",
    "condition",
)
#: What a time depends on beside the network.
TIMED_ALIKE = (
    *("runtime", "precision", "layout", "size", "threads", "allocator", "wait_policy", "lowered", "photograph"),
    "host",
)
#: Counted from the layers: independent of how a network is timed.
COUNTED = ("parameters", "macs")
#: The report's ratios to a baseline timed on the same host: they may be compared between hosts.
RATIOS = ("speed_up", "paired_speed_up")
#: Every other column counts as a score.
COSTS = (*TIMED_COLUMNS, *COUNTED, *RATIOS)


def networks_of(frame: pd.DataFrame) -> pd.DataFrame:
    """A row for each network, way of training and way of timing: scores averaged over seeds.

    Args:
        frame: rows of `load_records`.

    Returns:
        The columns of `frame`, the first seed's where they differ, scores averaged over `seed_count` seeds, 0 where the
        network has no score. A training that failed or has not finished does not count; its network stays for its time
        alone. In the order of the settings.

    Raises:
        ValueError: one network has several results of one seed that no column distinguishes.
    """
    check_columns(frame, ARCHITECTURE_COLUMNS)
    scores = [name for name in SCORE_COLUMNS if name in frame]
    frame = completed_only(frame, scores)
    _check_seeds(frame)
    groups = _groups(frame, (*TRAINED_ALIKE, *TIMED_ALIKE))
    first = frame[~groups.duplicated()]
    names = list(groups.loc[first.index])
    means = frame[scores].astype("float64").groupby(groups).mean().loc[names]
    results = frame["key"] if "key" in frame else pd.Series(frame.index.astype(str), index=frame.index)
    counts = results.where(frame[scores].notna().any(axis=1)).groupby(groups).nunique().loc[names]
    networks = first.assign(**{name: means[name].to_numpy() for name in scores}, seed_count=counts.to_numpy(dtype=int))
    # A network that failed in one way of training and was completed in another is one network.
    architecture = _groups(networks, ())
    known = set(architecture[networks["seed_count"] > 0])
    kept = networks[(networks["seed_count"] > 0) | ~architecture.isin(known)]
    settings = settings_of(frame)
    order = kept[settings].map(sortable).sort_values(settings, kind="stable").index
    return kept.loc[order].reset_index(drop=True)


def spread_between_seeds(frame: pd.DataFrame, of: str = "ms_ssim") -> pd.DataFrame:
    """How far apart the seeds of one network are, pooled over all networks with several.

    Args:
        frame: rows of `load_records`.
        of: the column of scores.

    Returns:
        One row: `of`; `networks`: how many have several seeds; `degrees_of_freedom`: their seeds, less one each;
        `standard_deviation` of a single seed's score, in the unit of `of` and assumed equal for all networks
        (`stats.pooling`); missing where no network has several.

    Raises:
        KeyError: the frame has no such column.
        ValueError: one network has several results of one seed that no column distinguishes.
    """
    groups, values = _seed_groups(frame, of)
    deviation, freedom = pooled_deviation(np.asarray(values, dtype=np.float64), pd.factorize(groups)[0])
    row = {"of": of, "networks": int((groups.value_counts() > 1).sum()), "degrees_of_freedom": freedom}
    return pd.DataFrame([row | {"standard_deviation": np.nan if deviation is None else deviation}])


def averaged(frame: pd.DataFrame, of: str, axes: Sequence[str]) -> pd.DataFrame:
    """A row for each network and way to obtain `of`: `axes`, what must be alike, `of` averaged, `count`.

    A score is grouped by its training alone and a time by its timing alone, so neither is repeated for the other. Rows
    without `of` are left out.

    Raises:
        KeyError: the frame has no such column.
        ValueError: two networks are the same on all `axes`, or a seed occurs twice.
    """
    check_columns(frame, axes)
    check_axes(frame, axes)
    frame = frame.reset_index(drop=True)
    groups, values = _seed_groups(frame, of)
    alike = [name for name in alike_for(of) if name in frame]
    first = frame.loc[groups[~groups.duplicated()].index, [*axes, *alike]]
    names = groups.loc[first.index]
    by_group = values.groupby(groups)
    return first.assign(
        **{of: by_group.mean().loc[names].to_numpy(), "count": by_group.count().loc[names].to_numpy(dtype=int)}
    ).reset_index(drop=True)


def alike_for(of: str) -> tuple[str, ...]:
    """The columns that must be equal before two values of `of` may be compared."""
    if of in COUNTED:
        return ()
    if of in RATIOS:
        return tuple(name for name in TIMED_ALIKE if name != "host")
    return TIMED_ALIKE if of in COSTS else TRAINED_ALIKE


def completed_only(frame: pd.DataFrame, scores: Sequence[str]) -> pd.DataFrame:
    """The frame without the scores of trainings that failed or have not finished, and with a new index."""
    frame = frame.reset_index(drop=True)
    if "status" not in frame or not scores:
        return frame
    unfinished = frame["status"].notna() & (frame["status"] != "completed")
    return frame.assign(**{name: frame[name].mask(unfinished) for name in scores})


def distinct(column: "pd.Series[Any]") -> list[str]:
    """The distinct values of a column as text, sorted, without missing ones."""
    return sorted({str(value) for (value,) in cells(column.to_frame("value"), ["value"]) if value is not None})


def check_columns(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Raise a KeyError that names the existing columns if one is missing."""
    for column in columns:
        if column not in frame.columns:
            raise KeyError(f"no column {column!r} to ask about; the frame has {sorted(map(str, frame.columns))}")


def check_axes(frame: pd.DataFrame, axes: Sequence[str]) -> None:
    """Raise a ValueError where two networks differ, but not on any of `axes`."""
    if "architecture_key" not in frame or not set(ARCHITECTURE_COLUMNS) <= set(axes):
        return
    keys = pd.Series(list(cells(frame, axes)), index=frame.index)
    for _, rows in frame["architecture_key"].groupby(keys.map(repr)):
        different = distinct(rows)
        if len(different) > 1:
            raise ValueError(
                f"{' and '.join(different[:2])} are different networks with the same {', '.join(axes)}: add "
                "the column in which they differ to `axes`, or leave one of them out"
            )


def cells(frame: pd.DataFrame, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """The rows of some columns as tuples: missing values as None, numbers as Python's, unhashable values as text."""
    return zip(*(map(_plain, frame[name].astype(object)) for name in columns), strict=True)


def sortable(value: Any) -> tuple[int, float, str]:
    """The sort key of an axis's value: missing first, then numbers by size (False before True), then words."""
    if isinstance(value, list | dict | set):
        return 2, 0.0, repr(value)
    if pd.isna(value):
        return 0, 0.0, ""
    return (1, float(value), "") if isinstance(value, int | float | np.number) else (2, 0.0, str(value))


def _plain(value: Any) -> Any:
    if isinstance(value, list | dict | set):
        return repr(value)
    if pd.isna(value):
        return None
    return value.item() if isinstance(value, np.generic) else value


def _groups(frame: pd.DataFrame, alike: Sequence[str]) -> "pd.Series[str]":
    """A group name for each row, shared by the rows of the same network that are equal in `alike`."""
    network = ["architecture_key"] if "architecture_key" in frame else []
    names = [*network, *ARCHITECTURE_COLUMNS, *(name for name in alike if name in frame)]
    return pd.Series(list(map(repr, cells(frame, names))), index=frame.index, dtype=object)


def _seed_groups(frame: pd.DataFrame, of: str) -> tuple["pd.Series[str]", "pd.Series[float]"]:
    """The known values of `of`, each once, and the group of each."""
    check_columns(frame, [*ARCHITECTURE_COLUMNS, of])
    is_score = of not in COSTS
    frame = completed_only(frame, [of] if is_score else [])
    if is_score:
        _check_seeds(frame)
    try:
        values = frame[of].astype("float64")
    except (TypeError, ValueError) as error:
        raise ValueError(f"{of!r} is not a column of numbers: {error}") from error
    values = values.dropna()
    groups = _groups(frame.loc[values.index], alike_for(of))
    if is_score and "key" in frame:
        # Where the table has every timing of a network, each of its trainings has several rows.
        values = values[~(groups + frame["key"].loc[values.index].astype(str)).duplicated()]
    return groups.loc[values.index], values


def _check_seeds(frame: pd.DataFrame) -> None:
    if not {"key", "seed"} <= set(frame.columns):
        return
    scores = [name for name in SCORE_COLUMNS if name in frame]
    trained = frame[frame["seed"].notna() & frame[scores].notna().any(axis=1)]
    seeds = _groups(trained, TRAINED_ALIKE) + trained["seed"].astype(str)
    keys = trained["key"].groupby(seeds).unique()
    for again in keys[keys.map(len) > 1]:
        names = " and ".join(map(str, again[:2]))
        raise ValueError(
            f"one network has several results of one seed, such as {names}: they differ in something that the table "
            "does not show (perhaps the learning rate), so keep the rows of one of them"
        )
