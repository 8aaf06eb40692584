"""Whether measures agree which network is better: Kendall's tau of each two, and what each would pick."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from enhance_sweep.measures import Measure
from enhance_sweep.paper import BASELINE_SLUG
from enhance_sweep.records.schema import TRAINED_COLUMNS
from enhance_sweep.report.results.gather import Results
from enhance_sweep.stats.paired_scores import PairedScores
from enhance_sweep.stats.rank_agreement import FEWEST_RANKED, kendall_taus
from enhance_sweep.stats.student import SIDE

Array = np.ndarray[Any, np.dtype[np.float64]]

#: With more networks than this, only those on the frontier and the published ones are ranked.
MOST_RANKED = 400
#: Bootstrap draws of images and seeds; fewer for many networks, whose tau hardly depends on the images.
_RESAMPLES, _RESAMPLES_OF_MANY, _MANY = 2000, 200, 100


@dataclass(frozen=True)
class Pick:
    """What one measure would pick, by means alone.

    Attributes:
        best: the row of the variants with its best score.
        behind: by how much that network is worse than the best one, in the measure that the report goes by; 0 or less.
        fastest: the row of the fastest network that is not worse than the baseline by the measure's margin or more;
            None without a baseline, or without any cost.
    """

    measure: Measure
    best: int
    behind: float
    fastest: int | None


@dataclass(frozen=True, eq=False)
class Agreement:
    """How well all measures of a report agree.

    Attributes:
        measures: in the order of the arrays.
        tau: (measures, measures), Kendall's tau-b of the networks' mean scores; 1 for the same order.
        low, high: the same, the ends of 95% intervals over test images and seeds; NaN where images have no scores.
        ranked: how many networks are ranked.
        scored: how many have a score of every measure.
        resamples: the bootstrap draws behind the intervals; 0 for none.
        picks: one for each measure.
    """

    measures: list[Measure]
    tau: Array
    low: Array
    high: Array
    ranked: int
    scored: int
    resamples: int
    picks: list[Pick]


def panel_measures(results: Results) -> list[Measure]:
    """The measures that any network has a score of; none in reports of records from before there were several."""
    return results.measures if any(one.name not in TRAINED_COLUMNS for one in results.measures) else []


@lru_cache(maxsize=1)
def agreement(results: Results) -> Agreement | None:
    """How well the measures agree on the networks that have a score of each; None where those are too few."""
    measures = panel_measures(results)
    scored = results.variants.dropna(subset=[one.name for one in measures]) if measures else results.variants[:0]
    if len(scored) < FEWEST_RANKED:
        return None
    ranked = _ranked(scored)
    tau = kendall_taus(_means(ranked, measures))
    low, high, resamples = _intervals(results, measures, results.variants.index.get_indexer(ranked.index))
    # A measure that puts all networks in one place has no tau; what little its draws differ is rounding.
    low, high = (np.where(np.isnan(tau), np.nan, ends) for ends in (low, high))
    picks = [_pick(results, scored, measure) for measure in measures]
    return Agreement(measures, tau, low, high, len(ranked), len(scored), resamples, picks)


def _ranked(scored: pd.DataFrame) -> pd.DataFrame:
    if len(scored) <= MOST_RANKED:
        return scored
    return scored[scored["on_frontier"] | scored["published"].notna()].head(MOST_RANKED)


def _means(rows: pd.DataFrame, measures: list[Measure]) -> Array:
    """(measures, rows), larger is better."""
    return np.stack([one.sign * rows[one.name].to_numpy(dtype=float) for one in measures])


def _intervals(
    results: Results, measures: list[Measure], rows: np.ndarray[Any, np.dtype[np.intp]]
) -> tuple[Array, Array, int]:
    """The ends of the intervals of tau and the number of draws.

    Images and seeds are drawn from the same random numbers for every measure: what makes an image hard, or a seed
    lucky, does so for all of them. Measures of which some image has no finite score draw images of their own.
    """
    unknown = np.full((len(measures), len(measures)), np.nan)
    every = [results.evidence.scores[one.name] for one in measures]
    if not all(scores.known(row) for scores in every for row in rows):
        return unknown, unknown, 0
    draws = _RESAMPLES if len(rows) <= _MANY else _RESAMPLES_OF_MANY
    means = np.stack([_of_rows(scores, rows).resampled_means(draws, np.random.default_rng(0)) for scores in every])
    taus = np.stack([kendall_taus(means[:, draw]) for draw in range(draws)])
    low, high = np.quantile(taus, [SIDE, 1 - SIDE], axis=0)
    return low, high, draws


def _of_rows(scores: PairedScores, rows: np.ndarray[Any, np.dtype[np.intp]]) -> PairedScores:
    return PairedScores(scores.scores[rows], scores.trainings[rows], scores.seed_deviation, scores.seed_freedom)


def _pick(results: Results, scored: pd.DataFrame, measure: Measure) -> Pick:
    quality = results.quality
    better, by_quality = measure.sign * scored[measure.name], quality.sign * scored[quality.name]
    best: Any = better.idxmax()
    baselines = scored[scored["slug"] == BASELINE_SLUG].sort_values("condition", kind="stable")
    as_good = scored[:0]
    if len(baselines):
        as_good = scored[(better > better[baselines.index[0]] - measure.margin) & scored["cost"].notna()]
    sure = as_good[(as_good["timing_doubts"] == "") | (as_good["slug"] == BASELINE_SLUG)]
    fastest: Any = sure["cost"].idxmin() if len(sure) else None
    return Pick(measure, best, float(by_quality[best] - by_quality.max()), fastest)
