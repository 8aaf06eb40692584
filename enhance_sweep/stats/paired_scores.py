"""How certain the difference in quality is between networks that were scored on the same images.

Differences are taken image by image, because images differ in difficulty far more than networks do in quality. The
training seed moves a network's mean as well, on all images alike; its effect is estimated from the networks that were
trained with several seeds, and counted for all.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from enhance_sweep.measures import MEASURES
from enhance_sweep.stats.holm import holm
from enhance_sweep.stats.pooling import pooled_deviation
from enhance_sweep.stats.student import SIDE, t_quantile, t_quantiles, t_tail, welch_satterthwaite

Array = np.ndarray[Any, np.dtype[np.float64]]

#: A network is as good as another where it is surely not worse by this much MS-SSIM.
MARGIN = MEASURES["ms_ssim"].margin
#: What a comparison with one network can show of another.
BETTER, AS_GOOD, WORSE, UNDECIDED = "better", "as good", "worse", "undecided"


@dataclass(frozen=True)
class Difference:
    """A mean difference with its 95% interval.

    Attributes:
        mean: the first network's score minus the second's.
        low, high: the interval's ends.
        error: the standard error.
        freedom: the degrees of freedom of Student's t for this interval.
    """

    mean: float
    low: float
    high: float
    error: float
    freedom: float


@dataclass(frozen=True)
class Comparisons:
    """Several networks, each compared with the same one: a family of tests, corrected for their number.

    Attributes:
        means: (networks,), each mean score minus that one's; NaN for that one itself, and where it is unknown.
        errors: the standard errors.
        freedom: the degrees of freedom of Student's t.
    """

    means: Array
    errors: Array
    freedom: Array

    @property
    def count(self) -> int:
        """How many networks are compared."""
        return int(np.count_nonzero(~np.isnan(self.means)))

    def decisions(self, margin: float = MARGIN) -> np.ndarray[Any, np.dtype[np.object_]]:
        """(networks,), what is sure of each: better, as good, worse, undecided; None where it is not compared.

        As good: less than `margin` worse. Better: above 0. Worse: below 0, and not as good. Each of these questions is
        a one-sided test at 2.5% of all networks together, by Holm's rule.
        """
        (better, _), (as_good, _), (worse, _) = self._above(0.0), self._above(-margin), self._above(0.0, sign=-1)
        found = np.select([better, as_good, worse], [BETTER, AS_GOOD, WORSE], UNDECIDED).astype(object)
        found[np.isnan(self.means)] = None
        return found

    def intervals(self, margin: float = MARGIN) -> tuple[Array, Array]:
        """The ends of each difference's interval, each at the level of its test, so that they show what is decided.

        The lower end is above 0 where a network is better, and else not; above minus `margin` where it is as good; the
        upper end is below 0 where the test of being worse is passed.
        """
        (better, to_better), (_, to_margin), (_, to_worse) = (
            self._above(0.0),
            self._above(-margin),
            self._above(0.0, sign=-1),
        )
        low = np.where(better, self.means - to_better, np.minimum(self.means - to_margin, 0.0))
        return low, self.means + to_worse

    def p_above(self, bound: float, sign: int = 1) -> Array:
        """(networks,), the one-sided p-value of each difference (times `sign`) against one of at most `bound`.

        Not corrected. Without any error a difference counts by which side it is on.
        """
        differences = sign * self.means - bound
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(differences == 0, 0.0, differences / self.errors)
        return t_tail(t, self.freedom)

    def _above(self, bound: float, sign: int = 1) -> tuple[np.ndarray[Any, np.dtype[np.bool_]], Array]:
        """Which differences (times `sign`) are surely above `bound`, and how far from its mean each is tested."""
        p_values = self.p_above(bound, sign)
        levels = holm(p_values, SIDE)
        return p_values <= levels, t_quantiles(self.freedom, 1 - 2 * levels) * self.errors


@dataclass(frozen=True)
class PairedScores:
    """Scores of several networks on the same images.

    Attributes:
        scores: (networks, images), the mean over each network's trainings; a row of NaN where there are none.
        trainings: (networks,), the number of trainings behind each row.
        seed_deviation: the standard deviation of a network's mean score between its trainings, pooled over the networks
            that have several; None where none has.
        seed_freedom: the degrees of freedom behind `seed_deviation`.
    """

    scores: Array
    trainings: np.ndarray[Any, np.dtype[np.intp]]
    seed_deviation: float | None
    seed_freedom: int

    @classmethod
    def pool(cls, per_training: Array, network_of: Sequence[int], networks: int) -> "PairedScores":
        """Average the trainings of each network.

        Args:
            per_training: (trainings, images). A training with any NaN, or without a finite score, is left out. An
                image with an infinite score in any other training is left out for all: means are compared over the
                same images.
            network_of: the network of each training, from 0.
            networks: how many there are.
        """
        whole = np.isfinite(per_training).any(axis=1) & ~np.isnan(per_training).any(axis=1)
        kept = np.isfinite(per_training[whole]).all(axis=0)
        known, owners = per_training[whole][:, kept], np.asarray(network_of, dtype=np.intp)[whole]
        trainings = np.bincount(owners, minlength=networks)
        scores = np.zeros((networks, known.shape[1]))
        np.add.at(scores, owners, known)
        with np.errstate(invalid="ignore"):
            scores /= np.where(trainings > 0, trainings, np.nan)[:, None]
        means = known.mean(axis=1) if known.shape[1] else np.zeros(0)
        deviation, freedom = pooled_deviation(means, owners[: len(means)])
        return cls(scores, trainings, deviation, freedom)

    @property
    def images(self) -> int:
        """How many images count."""
        return int(self.scores.shape[1])

    def known(self, network: int) -> bool:
        """Whether a network has enough scores for an interval."""
        return bool(self._is_known[network])

    def contrast(self, weights: Array) -> Difference | None:
        """A weighted sum of the networks' mean scores; None if one with a weight other than 0 has no scores.

        It is computed image by image, so that the images' difficulty cancels where the weights sum to 0. The interval
        covers another draw of images and, where any network has several trainings, another draw of seeds.

        Args:
            weights: (networks,).
        """
        counted = np.flatnonzero(weights)
        if not self._is_known[counted].all():
            return None
        each = weights[counted] @ self.scores[counted]
        of_seeds = np.square(weights[counted]) @ self._seed_variances[counted]
        mean, of_images = each.mean(), each.var(ddof=1) / self.images
        half_width, freedom = self._half_widths(np.array([of_images]), np.array([of_seeds]))
        low, high = mean - half_width[0], mean + half_width[0]
        return Difference(float(mean), float(low), float(high), math.sqrt(of_images + of_seeds), float(freedom[0]))

    def compared_with(self, second: int | None) -> Comparisons:
        """Each other network's mean score minus that of `second`; nothing is known where there is none."""
        known = np.flatnonzero(self._is_known & (np.arange(len(self.trainings)) != second))
        found = np.full((3, len(self.trainings)), np.nan)
        if second is not None and self.known(second):
            each = self.scores[known] - self.scores[second]
            of_images = each.var(axis=1, ddof=1) / self.images
            of_seeds = self._seed_variances[known] + self._seed_variances[second]
            found[:, known] = each.mean(axis=1), np.sqrt(of_images + of_seeds), self._freedom(of_images, of_seeds)
        return Comparisons(*found)

    def half_widths(self) -> Array:
        """(networks,), half of each mean's 95% interval, without the images' difficulty, which all networks share.

        Each image's mean over networks is subtracted first (Cousineau 2005, with Morey's factor of 2008), so that two
        intervals that hardly overlap belong to networks that differ. NaN where unknown.
        """
        known = np.flatnonzero(self._is_known)
        widths = np.full(len(self.trainings), np.nan)
        if not len(known):
            return widths
        each = self.scores[known]
        centred = each - (each.mean(axis=0) if len(known) > 1 else each.mean())
        factor = len(known) / (len(known) - 1) if len(known) > 1 else 1.0
        of_images = factor * centred.var(axis=1, ddof=1) / self.images
        widths[known], _ = self._half_widths(of_images, self._seed_variances[known])
        return widths

    def resampled_means(self, resamples: int, random: np.random.Generator) -> Array:
        """(resamples, networks): means over images drawn with replacement, the same for all, and seeds drawn anew."""
        counts = random.multinomial(self.images, np.full(self.images, 1 / self.images), size=resamples)
        means: Array = counts @ self.scores.T / self.images
        if self.seed_deviation is not None:
            spread = self.seed_deviation / np.sqrt(np.maximum(self.trainings, 1))
            means = means + random.normal(size=means.shape) * spread
        return means

    def not_worse(self, margin: float = MARGIN) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """(networks, networks): whether the row's network is surely not worse than the column's by `margin` or more.

        One-sided paired tests at 2.5%, one for each pair, not corrected for their number. False where either has no
        scores.
        """
        count = len(self.trainings)
        if self.images < 2:
            return np.zeros((count, count), dtype=bool)
        means, centred = self.scores.mean(axis=1), self.scores - self.scores.mean(axis=1, keepdims=True)
        covariance = centred @ centred.T / (self.images - 1)
        own = np.diag(covariance)
        of_images = np.maximum(own[:, None] + own[None, :] - 2 * covariance, 0) / self.images
        half_widths, _ = self._half_widths(of_images, self._seed_variances[:, None] + self._seed_variances[None, :])
        sure: np.ndarray[Any, np.dtype[np.bool_]] = means[:, None] - means[None, :] + margin > half_widths
        return sure

    @property
    def _is_known(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """(networks,)."""
        return np.asarray((self.trainings > 0) & (self.images > 1))

    @property
    def _seed_variances(self) -> Array:
        """(networks,): what the seeds add to the variance of each mean."""
        return np.asarray((self.seed_deviation or 0.0) ** 2 / np.maximum(self.trainings, 1))

    def _half_widths(self, of_images: Array, of_seeds: Array) -> tuple[Array, Array]:
        """Half the 95% interval for each pair of variances of a mean, and its degrees of freedom."""
        freedom = self._freedom(of_images, of_seeds)
        return t_quantile(freedom) * np.sqrt(of_images + of_seeds), freedom

    def _freedom(self, of_images: Array, of_seeds: Array) -> Array:
        return welch_satterthwaite([of_images, of_seeds], [self.images - 1, self.seed_freedom])
