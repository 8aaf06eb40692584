"""How certain the report's figures are: intervals, which network beats which, how likely each is on the frontier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from enhance_sweep.frontier import hypervolume, log_hypervolume
from enhance_sweep.measures import MEASURES, Measure
from enhance_sweep.paper import BASELINE_SLUG
from enhance_sweep.records.schema import TrainedRecord
from enhance_sweep.report.results.variants import usual
from enhance_sweep.stats.holm import holm
from enhance_sweep.stats.paired_scores import PairedScores
from enhance_sweep.stats.speed_up import Ratio
from enhance_sweep.stats.student import SIDE

#: Bootstrap draws of images, seeds and timing rounds; fewer for thousands of networks, so that a report takes seconds.
_RESAMPLES, _RESAMPLES_OF_MANY, _MANY = 2000, 200, 1000
#: With more networks than this, only those on the frontier and the published ones are compared in pairs.
_MOST_COMPARED = 400


@dataclass(frozen=True)
class Interval:
    """A figure with its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Evidence:
    """The evidence on how networks differ: from scores per image, seeds and timing rounds.

    Attributes:
        scores: by measure, the paired scores of the rows of `Results.variants`, in their order; times the measure's
            sign, so that larger is better.
        quality: the same of the measure that the report goes by.
        resamples: the bootstrap draws behind the probabilities and the hypervolumes' intervals.
        hypervolume: of the frontier: the area between it and (the baseline's latency, the untouched input's score), in
            that score times the baseline's latency; None without speed-ups or the untouched input's score.
        log_hypervolume: the same area over the binary logarithm of the speed-up from 1 on, in that score times
            doublings of speed (see `enhance_sweep.frontier.log_hypervolume`).
        comparisons: how many networks were compared with the baseline.
        compared: how many were compared pair by pair.
    """

    scores: Mapping[str, PairedScores]
    quality: PairedScores
    resamples: int
    hypervolume: Interval | None
    log_hypervolume: Interval | None
    comparisons: int
    compared: int

    @property
    def images(self) -> int:
        """The number of test images behind comparisons; 0 where no scores per image were found."""
        return self.quality.images

    @property
    def seed_deviation(self) -> float | None:
        """The standard deviation of a training's score between seeds; None if unknown."""
        return self.quality.seed_deviation


def pool_scores(
    tables: Mapping[str, np.ndarray[Any, Any]],
    trained: Sequence[TrainedRecord],
    rows: Sequence[int | None],
    networks: int,
) -> dict[str, PairedScores]:
    """The paired scores of each measure, times its sign.

    Args:
        tables: (images, all of `MEASURES`) by the records' keys; not of those whose table cannot be read.
        trained: the records.
        rows: for each record, the row of the variants that pools it; None if none does.
        networks: how many rows there are.
    """
    wanted = [(record.key, row) for record, row in zip(trained, rows, strict=True) if row is not None]
    counts = pd.Series([len(tables[key]) for key, _ in wanted if key in tables], dtype="int64").mode()
    images = int(counts.iloc[0]) if len(counts) else 0
    whole = [(tables[key], row) for key, row in wanted if key in tables and len(tables[key]) == images]
    owners = [row for _, row in whole]
    stacked = np.stack([table for table, _ in whole]) if whole else np.zeros((0, 0, len(MEASURES)))
    return {
        name: PairedScores.pool(measure.sign * stacked[:, :, column], owners, networks)
        for column, (name, measure) in enumerate(MEASURES.items())
    }


def weigh(
    variants: pd.DataFrame,
    scores: Mapping[str, PairedScores],
    ratios: Mapping[str, Ratio],
    has_speed_ups: bool,
    quality: Measure,
) -> tuple[pd.DataFrame, Evidence]:
    """Add columns to the variants that say how certain their figures are.

    They are: `ms_ssim_error` and so on, half the 95% interval of a mean without what all networks share;
    `vs_baseline`, `vs_baseline_low`, `vs_baseline_high`: how much better than the baseline, paired;
    `vs_baseline_decision`: what that shows; `beats_baseline`: whether it is surely faster, too; all corrected for the
    number of networks. `frontier_probability`; `beats`, `beaten_by`: of how many networks, each pair tested alone.

    Args:
        variants: the rows so far, in the order of `scores`.
        scores: of each measure.
        ratios: speed-ups by `architecture_key`, where the baseline was called in the same rounds.
        has_speed_ups: whether the cost is one over the speed-up.
        quality: the measure that networks are compared by.
    """
    of_quality, margin = scores[quality.name], quality.margin
    columns: dict[str, Any] = {f"{name}_error": scores[name].half_widths() for name in MEASURES}
    against = of_quality.compared_with(_baseline_row(variants, quality))
    columns["vs_baseline"] = against.means
    columns["vs_baseline_low"], columns["vs_baseline_high"] = against.intervals(margin)
    columns["vs_baseline_decision"] = against.decisions(margin)
    # A network that beats the baseline passes two tests, so the larger p-value counts (Berger 1982).
    both = np.maximum(against.p_above(-margin), _p_faster(variants, ratios))
    columns["beats_baseline"] = both <= holm(both, SIDE)
    probability, volumes, resamples = _bootstrap(variants, of_quality, ratios, has_speed_ups, quality)
    columns["frontier_probability"] = probability
    compared = _comparable(variants, of_quality)
    rows = np.flatnonzero(compared)
    beats = _beats(variants, rows, of_quality, ratios, margin)
    for name, axis in (("beats", 1), ("beaten_by", 0)):
        columns[name] = pd.Series(_at(rows, beats.sum(axis=axis), len(variants)), dtype="Int64").where(compared)
    return variants.assign(**columns), Evidence(scores, of_quality, resamples, *volumes, against.count, len(rows))


def _at(rows: np.ndarray[Any, Any], values: np.ndarray[Any, Any], count: int) -> np.ndarray[Any, Any]:
    """(count,): the values at their rows, 0 or False elsewhere."""
    found = np.zeros(count, dtype=values.dtype)
    found[rows] = values
    return found


def _baseline_row(variants: pd.DataFrame, quality: Measure) -> int | None:
    """The row of the scored baseline; under the most frequent training condition where there are several."""
    rows = variants.reset_index(drop=True)
    rows = rows[(rows["slug"] == BASELINE_SLUG) & rows[quality.name].notna()].sort_values("condition", kind="stable")
    return int(rows.index[0]) if len(rows) else None


# --- bootstrap --------------------------------------------------------------------------------------------------------


def _bootstrap(
    variants: pd.DataFrame,
    scores: PairedScores,
    ratios: Mapping[str, Ratio],
    has_speed_ups: bool,
    quality: Measure,
) -> tuple[np.ndarray[Any, Any], tuple[Interval | None, Interval | None], int]:
    """The probability of each row to be on the frontier, both hypervolumes, and how many draws they rest on."""
    probability = np.full(len(variants), np.nan)
    cost = variants["cost"].to_numpy(dtype=float)
    rows = np.flatnonzero(np.isfinite(cost) & (scores.trainings > 0)) if scores.images > 1 else np.zeros(0, dtype=int)
    if not len(rows):
        return probability, (None, None), 0
    draws = _RESAMPLES if len(rows) <= _MANY else _RESAMPLES_OF_MANY
    random = np.random.default_rng(0)
    qualities = scores.resampled_means(draws, random)[:, rows]
    costs = np.tile(cost[rows], (draws, 1))
    if has_speed_ups:
        keys, slugs = variants["architecture_key"].to_numpy()[rows], variants["slug"].to_numpy()[rows]
        paired = [column for column, key in enumerate(keys) if key in ratios and slugs[column] != BASELINE_SLUG]
        if paired:
            resampled = np.stack([ratios[keys[column]].resampled for column in paired], axis=1)
            drawn = random.integers(len(resampled), size=(draws, len(paired)))
            costs[:, paired] = 1 / np.take_along_axis(resampled, drawn, axis=0)
    untouched = usual(variants[f"untouched_{quality.name}"])
    level = quality.sign * (untouched or 0.0)
    on_front = np.zeros(len(rows))
    volumes = np.zeros((draws, 2))
    for draw in range(draws):
        front, *both = _front_and_volumes(costs[draw], qualities[draw], level)
        volumes[draw] = both
        on_front[front] += 1
    probability[rows] = on_front / draws
    if not has_speed_ups or untouched is None:
        return probability, (None, None), draws
    values = (
        hypervolume(variants, worst_cost=1.0, worst_quality=untouched, cost="cost", quality=quality.name),
        log_hypervolume(variants, worst_quality=untouched, quality=quality.name),
    )
    ends = np.quantile(volumes, [SIDE, 1 - SIDE], axis=0).T
    of_latency, of_speed = (Interval(v, float(low), float(high)) for v, (low, high) in zip(values, ends, strict=True))
    return probability, (of_latency, of_speed), draws


def _front_and_volumes(
    cost: np.ndarray[Any, Any], quality: np.ndarray[Any, Any], worst_quality: float
) -> tuple[np.ndarray[Any, Any], float, float]:
    """Which places are on the frontier, and its hypervolumes up to a cost of 1: over the cost, and over its logarithm.

    Ties do not matter in a draw.
    """
    order = np.argsort(cost)
    if (np.diff(cost[order]) == 0).any():  # of the same cost the best comes first
        order = np.lexsort((-quality, cost))
    best = np.maximum.accumulate(quality[order])
    rises = np.concatenate([[True], best[1:] > best[:-1]])
    front = order[rises]
    inside = front[(cost[front] < 1) & (quality[front] > worst_quality)]
    gains = np.diff(np.concatenate([[worst_quality], quality[inside]]))
    return front, float(np.sum(gains * (1 - cost[inside]))), float(np.sum(gains * -np.log2(cost[inside])))


# --- which beats which ------------------------------------------------------------------------------------------------


def _comparable(variants: pd.DataFrame, scores: PairedScores) -> np.ndarray[Any, Any]:
    """Rows that are compared pair by pair: those with scores per image and a paired speed-up; not too many."""
    has = variants["speed_up_low"].notna().to_numpy() & (scores.trainings > 0) & (scores.images > 1)
    if has.sum() > _MOST_COMPARED:
        has &= variants["on_frontier"].to_numpy(dtype=bool) | variants["published"].notna().to_numpy()
    if has.sum() > _MOST_COMPARED:
        has &= np.cumsum(has) <= _MOST_COMPARED
    return np.asarray(has)


def _p_faster(variants: pd.DataFrame, ratios: Mapping[str, Ratio]) -> np.ndarray[Any, Any]:
    """The share of the bootstrap's draws in which each network is no faster than the baseline; 1 where none is known.

    The baseline itself has a speed-up of 1 by definition.
    """
    slower = {key: float((ratio.resampled <= 1).mean()) for key, ratio in ratios.items()}
    shares = variants["architecture_key"].map(slower).fillna(1.0).where(variants["slug"] != BASELINE_SLUG, 1.0)
    return shares.to_numpy(dtype=float)


def _beats(
    variants: pd.DataFrame,
    rows: np.ndarray[Any, Any],
    scores: PairedScores,
    ratios: Mapping[str, Ratio],
    margin: float,
) -> np.ndarray[Any, Any]:
    """(rows, rows), of some: whether the first is surely faster than the second, and surely not worse by the margin.

    Each pair is tested alone. Faster: in 97.5% of the bootstrap's draws. The baseline itself has a speed-up of 1.
    """
    beats = np.zeros((len(rows), len(rows)), dtype=bool)
    if len(rows) < 2:
        return beats
    draws = []
    for row in rows:
        resampled = ratios[variants["architecture_key"].iloc[row]].resampled
        itself = variants["slug"].iloc[row] == BASELINE_SLUG
        draws.append(np.ones_like(resampled) if itself else np.random.default_rng(row).permutation(resampled))
    speed = np.stack(draws)
    some = PairedScores(scores.scores[rows], scores.trainings[rows], scores.seed_deviation, scores.seed_freedom)
    as_good = some.not_worse(margin)
    for place in range(len(rows)):
        faster = (speed[place] > speed).mean(axis=1) >= 1 - SIDE
        beats[place] = faster & as_good[place]
    return beats
