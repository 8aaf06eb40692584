"""Which network to take, under a limit on what it may cost or on how good it must be."""

from collections.abc import Sequence

import pandas as pd

from enhance_sweep.frontier import pareto_front
from enhance_sweep.measures import higher_is_better
from enhance_sweep.what_if.networks import COUNTED, RATIOS, check_columns, distinct, networks_of


def best_within(
    frame: pd.DataFrame,
    max_latency_ms: float | None = None,
    max_peak_rss_mib: float | None = None,
    quality: str = "ms_ssim",
    count: int = 1,
) -> pd.DataFrame:
    """The best networks that stay within the limits, the best first; of equals the faster, where both are timed.

    Args:
        frame: rows of `load_records`; seeds are averaged, so that one lucky seed makes no network the best.
        max_latency_ms: the largest median latency of one image; None: any, even unknown.
        max_peak_rss_mib: the largest peak memory of the process; None: any, even unknown.
        quality: the column of scores; of measures such as `mdsi`, less is better.
        count: how many networks to return at most.

    Returns:
        Rows of `networks_of`; none where no network with a known quality is within the limits.

    Raises:
        KeyError: the frame has no such column.
        ValueError: scores of several data sets, or times of several hosts, which cannot be ranked together.
    """
    limits = {"latency_ms_median": max_latency_ms, "peak_rss_mib": max_peak_rss_mib}
    asked = {name: limit for name, limit in limits.items() if limit is not None}
    networks = _rankable(frame, [quality], list(asked))
    for name, limit in asked.items():
        networks = networks[networks[name] <= limit]
    known = networks.dropna(subset=[quality])
    tie = ["latency_ms_median"] if "latency_ms_median" in known else []
    directions = [not higher_is_better(quality), *[True] * len(tie)]
    return known.sort_values([quality, *tie], ascending=directions, kind="stable").head(count)


def fastest_as_good_as(
    frame: pd.DataFrame,
    level: float,
    cost: str = "latency_ms_median",
    quality: str = "ms_ssim",
    count: int = 1,
) -> pd.DataFrame:
    """The cheapest networks whose quality reaches a level, the cheapest first; of equals the better.

    Args:
        frame: rows of `load_records`; seeds are averaged.
        level: the least quality (the most, of measures such as `mdsi`), in the unit of that column. To allow for
            chance, give way by the deviation of `spread_between_seeds`.
        cost: the column to minimise.
        quality: the column to compare with `level`.
        count: how many networks to return at most.

    Returns:
        Rows of `networks_of`; none where no network with a known cost is as good.

    Raises:
        KeyError: the frame has no such column.
        ValueError: scores of several data sets, or costs of several hosts, which cannot be ranked together.
    """
    networks = _rankable(frame, [quality], [cost])
    rises = higher_is_better(quality)
    good = networks[networks[quality] >= level if rises else networks[quality] <= level].dropna(subset=[cost])
    return good.sort_values([cost, quality], ascending=[True, not rises], kind="stable").head(count)


def frontier_of(frame: pd.DataFrame, cost: str = "latency_ms_median", quality: str = "ms_ssim") -> pd.DataFrame:
    """The networks that no other beats on both cost and quality, cheapest first: `pareto_front` of seeds' means.

    Args:
        frame: rows of `load_records`.
        cost: the column to minimise.
        quality: the column of scores.

    Raises:
        KeyError: the frame has no such column.
        ValueError: scores of several data sets, or costs of several hosts, which cannot be ranked together.
    """
    return pareto_front(_rankable(frame, [quality], [cost]), cost, quality)


def _rankable(frame: pd.DataFrame, qualities: Sequence[str], costs: Sequence[str]) -> pd.DataFrame:
    """The networks, if all their scores are of one data set and all their costs of one host and image size."""
    check_columns(frame, [*qualities, *costs])
    networks = networks_of(frame)
    timed = [name for name in costs if name not in (*COUNTED, *RATIOS)]
    for values, places in ((list(qualities), ["dataset", "data_fingerprint"]), (timed, ["host", "size"])):
        known = networks[networks[values].notna().any(axis=1)] if values else networks.head(0)
        for place in places:
            found = distinct(known[place]) if place in known else []
            if len(found) > 1:
                what = " and ".join(values)
                raise ValueError(
                    f"{what} can be ranked within one {place}, got {', '.join(found)}: keep the rows of one"
                )
    return networks
