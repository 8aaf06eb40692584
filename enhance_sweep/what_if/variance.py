"""Which setting matters most: the variance between networks, divided among their settings.

In an unbalanced design, sums of squares depend on the order in which the settings enter the model: type I takes one
order; type III lets each setting enter last and drops what two settings explain together. Here a setting's share is
what it adds to R², averaged over all orders (Lindeman, Merenda and Gold 1980; Grömping 2006; the Shapley value of R²).
These shares are never negative and add up to R²; in a balanced design they are the usual sums of squares, each over the
total.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from enhance_sweep.what_if.networks import COSTS, alike_for, averaged, cells, distinct, spread_between_seeds

Array = npt.NDArray[np.float64]
Row = dict[str, Any]

#: Every subset of the axes is a model to fit: 1024 with ten of them.
MOST_AXES = 10
#: Singular values smaller than this share of the largest count as 0, and so do ranges this small.
_TOLERANCE = 1e-9
REST = "rest"


@dataclass(frozen=True)
class _Model:
    """What a set of axes explains: its share of the variance, and in how many independent directions."""

    share: float
    rank: int


def shares_of_variance(
    frame: pd.DataFrame,
    axes: Sequence[str] = ("kernel_size", "channels", "blocks", "topology"),
    of: str = "ms_ssim",
    numeric: Sequence[str] = (),
    scale: str = "auto",
) -> pd.DataFrame:
    """How much of the variance of `of` between networks each axis explains, main effects only.

    A network counts once, as the mean of its seeds. An axis is a set of categories, so that its effect may have any
    shape; this costs one degree of freedom fewer than it has values. A setting that some networks lack (plain ones have
    no strided kernel) explains variance among those that have it.

    Args:
        frame: rows of `load_records`, trained alike (or timed alike, where `of` is a cost).
        axes: the columns to divide the variance among, at most ten.
        of: the column whose variance it is; rows without a value are left out.
        numeric: those of `axes` whose effect is a straight line in the logarithm of their value instead, with one
            degree of freedom; for a search with very many values.
        scale: `log` or `linear`; `auto` takes the logarithm of times, memory, parameters and multiply-adds, on which
            settings act as factors, and scores as they are.

    Returns:
        A row for each axis, the largest share first, and a last row for the `rest`: interactions of axes, other
        settings and chance. `values`: of the axis; `degrees_of_freedom`; `share`: of the variance, all rows together 1;
        `share_by_chance`: the average share if the scores were assigned to these networks at random; `share_first`,
        `share_last`: what the axis adds to R² before and after all others, the same in a balanced design; `note`. Where
        there is no answer the shares are missing, never 0, and the note says why: an axis does not vary, there are too
        few networks, all have one score. Where axes cannot be told apart because they vary together, the note names
        them and says that the division between them is arbitrary.

    Raises:
        KeyError: the frame has no such column.
        ValueError: the rows were trained, or timed, in several ways; `scale` or `numeric` is impossible.
    """
    _check_question(axes, numeric, scale)
    networks = averaged(frame, of, axes)
    _check_alike(networks, of)
    response = _response(networks, of, scale)
    designs = {axis: _design(networks, axis, axis in numeric) for axis in axes}
    varying = [axis for axis in axes if designs[axis].shape[1]]
    models = _models(designs, varying, response - response.mean() if len(response) else response)
    full = models[frozenset(varying)]
    unknown = _why_unknown(of, response, full.rank)
    rows = []
    for axis in axes:
        column = [value for (value,) in cells(networks, [axis])]
        row: Row = {"axis": axis, "values": _listed(_levels(column)), "degrees_of_freedom": designs[axis].shape[1]}
        if axis in varying and not unknown:
            row |= _shares(axis, varying, models, len(response)) | {"note": _confounded(axis, varying, models)}
        else:
            row["note"] = unknown if unknown and (axis in varying or not column) else _why_not_varying(column)
        rows.append(row)
    rest: Row = {"axis": REST, "values": "", "degrees_of_freedom": max(0, len(response) - 1 - full.rank)}
    if unknown or not varying:
        return _table(rows, rest | {"note": unknown or "no axis varies"})
    chance = 1 - full.rank / (len(response) - 1)
    note = _seeds_note(frame, of, networks, response)
    return _table(rows, rest | {"share": 1 - full.share, "share_by_chance": chance, "note": note})


def _response(networks: pd.DataFrame, of: str, scale: str) -> Array:
    """(networks,), on the scale on which effects add up."""
    values = networks[of].to_numpy(dtype=np.float64)
    if scale == "linear" or (scale == "auto" and of not in COSTS):
        return values
    if (values <= 0).any():
        raise ValueError(f"{of} has values of 0 or less, which have no logarithm: use scale='linear'")
    return np.asarray(np.log(values), dtype=np.float64)


def _table(rows: Sequence[Row], rest: Row) -> pd.DataFrame:
    """The axes by falling share, then the rest."""
    columns = ["axis", "values", "degrees_of_freedom", "share", "share_by_chance", "share_first", "share_last", "note"]
    table = pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[3:7], "float64"))
    table = table.sort_values("share", ascending=False, kind="stable")
    return pd.concat([table, pd.DataFrame([rest])], ignore_index=True).reindex(columns=columns).fillna({"note": ""})


# --- models -----------------------------------------------------------------------------------------------------------


def _design(networks: pd.DataFrame, axis: str, is_numeric: bool) -> Array:
    """An axis's columns of the design, each of mean 0 and length 1; 0 for networks that lack the axis."""
    column = [value for (value,) in cells(networks, [axis])]
    has = np.array([value is not None for value in column], dtype=bool)
    known = [value for value in column if value is not None]
    levels = _levels(column)
    if len(levels) < 2:
        return np.zeros((len(column), 0))
    if is_numeric:
        if not all(isinstance(value, int | float) and value > 0 for value in known):
            raise ValueError(f"{axis} cannot be numeric: expected numbers above 0, got {_listed(levels)}")
        columns = np.log2(np.array(known, dtype=np.float64))[:, None]
    else:
        columns = np.array([[value == level for level in levels[1:]] for value in known], dtype=np.float64)
    columns = columns - columns.mean(axis=0)
    design = np.zeros((len(column), columns.shape[1]))
    design[has] = columns / np.linalg.norm(columns, axis=0)
    return design


def _models(designs: Mapping[str, Array], axes: Sequence[str], response: Array) -> dict[frozenset[str], _Model]:
    """What every subset of the axes explains of a response of mean 0."""
    total = float(response @ response)
    together = np.concatenate([np.zeros((len(response), 0)), *(designs[axis] for axis in axes)], axis=1)
    # All models lie in the span of all columns; fits in its basis are as small as the number of columns.
    basis, compressed = np.linalg.qr(together)
    target = basis.T @ response
    ends = np.cumsum([0, *(designs[axis].shape[1] for axis in axes)])
    part = {axis: compressed[:, start:end] for axis, start, end in zip(axes, ends, ends[1:], strict=False)}
    models = {frozenset[str](): _Model(0.0, 0)}
    for size in range(1, len(axes) + 1):
        for chosen in combinations(axes, size):
            directions, lengths, _ = np.linalg.svd(np.concatenate([part[a] for a in chosen], axis=1))
            rank = int((lengths > _TOLERANCE * lengths[0]).sum())
            explained = float(np.sum((directions[:, :rank].T @ target) ** 2))
            models[frozenset(chosen)] = _Model(explained / total if total > 0 else np.nan, rank)
    return models


def _shares(axis: str, axes: Sequence[str], models: Mapping[frozenset[str], _Model], count: int) -> dict[str, float]:
    """What an axis adds, averaged over all orders in which the axes may enter, and as the first and the last."""
    others = [other for other in axes if other != axis]
    share = rank = 0.0
    for size in range(len(others) + 1):
        # The share of all orders that have exactly these axes before this one.
        weight = factorial(size) * factorial(len(others) - size) / factorial(len(axes))
        for before in map(frozenset, combinations(others, size)):
            with_axis, without = models[before | {axis}], models[before]
            share += weight * (with_axis.share - without.share)
            rank += weight * (with_axis.rank - without.rank)
    last = models[frozenset(axes)].share - models[frozenset(others)].share
    # Random scores spread over all independent directions alike.
    ends = {"share_first": models[frozenset([axis])].share, "share_last": last}
    return {"share": share, "share_by_chance": rank / (count - 1), **ends}


# --- notes ------------------------------------------------------------------------------------------------------------


def _why_unknown(of: str, response: Array, rank: int) -> str:
    """Why no axis can have a share; empty where it can."""
    if not len(response):
        return f"not known: no network has a value of {of}"
    if len(response) < 3 or rank >= len(response) - 1:
        parameters = f", a model of {rank + 1} parameters" if rank else ""
        return f"not known: too few networks ({len(response)}{parameters})"
    if np.ptp(response) <= _TOLERANCE * np.abs(response).max():
        return f"not known: {of} is the same in all networks"
    return ""


def _confounded(axis: str, axes: Sequence[str], models: Mapping[frozenset[str], _Model]) -> str:
    own, full = models[frozenset([axis])].rank, models[frozenset(axes)].rank
    alone = full - models[frozenset(axes) - {axis}].rank
    if alone == own:
        return ""
    others = [other for other in axes if other != axis]
    partners = [o for o in others if models[frozenset([axis, o])].rank < own + models[frozenset([o])].rank]
    names = " and ".join(partners) if partners else "the others together"
    how = "cannot be told apart from" if alone == 0 else "varies partly with"
    return f"{how} {names}: the division between them is arbitrary"


def _why_not_varying(column: Sequence[object]) -> str:
    levels = _levels(column)
    if not levels:
        return "not known: no network has it"
    everywhere = "in all networks" if None not in column else "in all networks that have it"
    return f"not known: {levels[0]} {everywhere}"


def _seeds_note(frame: pd.DataFrame, of: str, networks: pd.DataFrame, response: Array) -> str:
    """How much of the variance between these means is expected from the seeds alone."""
    if of in COSTS or not np.array_equal(response, networks[of].to_numpy(dtype=np.float64)):
        return ""
    variance = float(spread_between_seeds(frame, of)["standard_deviation"].iloc[0]) ** 2
    if np.isnan(variance):
        return "no network has several seeds: chance and interactions are not told apart"
    count = len(response)
    squares = variance * float((1 / networks["count"]).sum()) * (1 - 1 / count)
    share = squares / float(np.sum((response - response.mean()) ** 2))
    return f"of all variance about {share:.0%} is chance between seeds"


def _levels(column: Sequence[object]) -> list[object]:
    return sorted({value for value in column if value is not None}, key=lambda value: (str(type(value)), value))


def _listed(levels: Sequence[object]) -> str:
    shown = [f"{level:g}" if isinstance(level, float) else str(level) for level in levels]
    return ", ".join(shown if len(shown) <= 8 else [*shown[:4], "...", shown[-1]])


# --- questions that cannot be asked -----------------------------------------------------------------------------------


def _check_question(axes: Sequence[str], numeric: Sequence[str], scale: str) -> None:
    if not 1 <= len(axes) <= MOST_AXES or len(set(axes)) < len(axes):
        raise ValueError(f"expected 1 to {MOST_AXES} different axes, got {', '.join(axes) or 'none'}")
    if not set(numeric) <= set(axes):
        raise ValueError(f"numeric: expected some of {', '.join(axes)}, got {', '.join(numeric)}")
    if scale not in ("auto", "log", "linear"):
        raise ValueError(f"scale: expected auto, log or linear, got {scale!r}")


def _check_alike(networks: pd.DataFrame, of: str) -> None:
    for name in alike_for(of):
        found = distinct(networks[name].map(str)) if name in networks else []
        if len(found) > 1:
            ways = ", ".join(found)
            raise ValueError(f"{of} was obtained in several ways ({name}: {ways}): keep the rows of one of them")
