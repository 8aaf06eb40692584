"""The frontier between cost and quality, for the report, the search and whoever picks a network from a table."""

import numpy as np
import pandas as pd

from enhance_sweep.measures import higher_is_better


def pareto_front(frame: pd.DataFrame, cost: str = "latency_ms_median", quality: str = "ms_ssim") -> pd.DataFrame:
    """The rows that no other row dominates, cheapest first.

    A row dominates another if it costs no more, is no worse, and is better on one of the two. Rows that are equal on
    both do not dominate each other, so both stay.

    Args:
        frame: a row per candidate; rows with a missing cost or quality are left out.
        cost: the column to keep small.
        quality: the column to keep large; or small, where it is a measure of which less is better, such as `mdsi`.

    Raises:
        KeyError: the frame has no such column.
    """
    for column in (cost, quality):
        if column not in frame.columns:
            raise KeyError(f"no column {column!r} to draw a frontier on; the frame has {sorted(frame.columns)}")
    rises = higher_is_better(quality)
    known = frame.dropna(subset=[cost, quality]).sort_values(
        [cost, quality], ascending=[True, not rises], kind="stable"
    )
    costs, qualities = known[cost].to_numpy(dtype=float), known[quality].to_numpy(dtype=float) * (1 if rises else -1)
    if not len(known):
        return known
    # Rows of equal cost are adjacent, the best first. A row stays if it is as good as that best row, and that row is
    # better than everything cheaper.
    first = np.searchsorted(costs, costs, side="left")
    best_so_far = np.maximum.accumulate(qualities)
    beats_cheaper = (first == 0) | (qualities > best_so_far[first - 1])
    front: pd.DataFrame = known[beats_cheaper & (qualities == qualities[first])]
    return front


def hypervolume(
    frame: pd.DataFrame,
    worst_cost: float,
    worst_quality: float,
    cost: str = "latency_ms_median",
    quality: str = "ms_ssim",
) -> float:
    """The area between the frontier and the point (`worst_cost`, `worst_quality`), in the product of their units.

    Rows beyond that point on either axis add nothing. 0.0 where no row is left (Zitzler & Thiele 1998).
    """
    front = pareto_front(frame, cost, quality)
    costs = front[cost].to_numpy(dtype=float)
    gained = (front[quality].to_numpy(dtype=float) - worst_quality) * (1 if higher_is_better(quality) else -1)
    inside = (costs < worst_cost) & (gained > 0)
    # Cheapest first, quality rises along the front: each step in quality counts from its cost to `worst_cost`.
    return float(np.sum(np.diff(gained[inside], prepend=0.0) * (worst_cost - costs[inside])))


def log_hypervolume(
    frame: pd.DataFrame,
    worst_quality: float,
    speed_up: str = "speed_up",
    quality: str = "ms_ssim",
) -> float:
    """The same area over the binary logarithm of the speed-up from 1 on, in quality times doublings of speed.

    At each speed counts the best network that is at least so fast, by how much it is better than `worst_quality`; every
    doubling of speed weighs alike. So a network twice as fast as all others, of a gain g, adds at least g.
    `hypervolume` over latency instead gives half of all weight to speed-ups of 1 to 2, and hardly any to those above
    10. What is not faster than a speed-up of 1 adds nothing.

    Args:
        frame: a row per candidate; rows with a missing speed-up or quality are left out.
        worst_quality: what counts as no gain, such as the untouched input's score.
        speed_up: the column to keep large, a ratio above 0.
        quality: the column to keep large; or small, where it is a measure of which less is better.

    Raises:
        KeyError: the frame has no such column.
    """
    if speed_up not in frame.columns:
        raise KeyError(f"no column {speed_up!r} of speed-ups; the frame has {sorted(frame.columns)}")
    # Costs rise as speed falls, and reach 0 at a speed-up of 1.
    slowness = -np.log2(frame[speed_up].astype("float64"))
    return hypervolume(frame.assign(slowness=slowness), 0.0, worst_quality, cost="slowness", quality=quality)
