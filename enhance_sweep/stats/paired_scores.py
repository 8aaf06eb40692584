"""How sure a difference in quality is between networks that were scored on the same images.

What decides is the difference image by image: images differ in difficulty far more than networks do in quality. A
training's seed moves a network's mean as well, whatever the images; how much is learned from the networks that were
trained with several seeds, and counted for all.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit

from enhance_sweep.stats.speed_up import CONFIDENCE

Array = np.ndarray[Any, np.dtype[np.float64]]

#: A network is as good as another where it is surely not worse by this much MS-SSIM: a sixth of what the paper's
#: Table 1 spans (0.9117 to 0.9230).
MARGIN = 0.002


@dataclass(frozen=True)
class Difference:
    """A mean difference with its 95% interval.

    Attributes:
        mean: of the first network's score over the second's.
        low, high: the interval's ends.
        error: its standard error.
        freedom: the degrees of freedom of Student's t that the interval is of.
    """

    mean: float
    low: float
    high: float
    error: float
    freedom: float

    def p_worse(self, margin: float) -> float:
        """The one-sided p-value of the hypothesis that the first is worse by `margin` or more."""
        if self.error == 0:
            return float(self.mean <= -margin)
        return float(stdtr(self.freedom, -(self.mean + margin) / self.error))


@dataclass(frozen=True)
class PairedScores:
    """Scores of several networks on the same images.

    Attributes:
        scores: (networks, images), the mean over each network's trainings; a row of NaN where there are none.
        trainings: (networks,), of how many trainings each row is the mean.
        seed_deviation: of the mean score of a network between its trainings, pooled over the networks that have
            several; None where none has.
        seed_freedom: the degrees of freedom that this rests on.
    """

    scores: Array
    trainings: np.ndarray[Any, np.dtype[np.intp]]
    seed_deviation: float | None
    seed_freedom: int

    @classmethod
    def pool(cls, per_training: Array, network_of: Sequence[int], networks: int) -> "PairedScores":
        """Average the trainings of each network.

        Args:
            per_training: (trainings, images). A training that has a score which is not a number has no mean and is
                left out. An image that any other training has an infinite score of is left out for all: a difference
                in means must be over the same images.
            network_of: for each training its network, from 0.
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
        several = trainings > 1
        freedom = int((trainings[several] - 1).sum())
        deviation = None
        if freedom and known.shape[1]:
            own = scores.mean(axis=1)[owners]
            squares = np.square(known.mean(axis=1) - own)[several[owners]].sum()
            deviation = math.sqrt(squares / freedom)
        return cls(scores, trainings, deviation, freedom)

    @property
    def images(self) -> int:
        """How many images count."""
        return int(self.scores.shape[1])

    def known(self, network: int) -> bool:
        """Whether it has scores enough for an interval."""
        return bool(self.trainings[network] > 0 and self.images > 1)

    def difference(self, first: int, second: int) -> Difference | None:
        """How much better `first` is than `second`, by the images' paired differences; None without scores."""
        weights = np.zeros(len(self.trainings))
        weights[first] += 1
        weights[second] -= 1
        return self.contrast(weights)

    def differences_from(self, second: int) -> tuple[Array, Array, Array]:
        """Each network's `difference` from one: means and the intervals' ends, NaN where there are none."""
        known = np.flatnonzero((self.trainings > 0) & (self.images > 1))
        found = np.full((3, len(self.trainings)), np.nan)
        if self.known(second):
            each = self.scores[known] - self.scores[second]
            of_images = each.var(axis=1, ddof=1) / self.images
            of_seeds = np.array([self._seed_variance(int(network)) for network in known])
            of_seeds += self._seed_variance(second)
            total = of_images + of_seeds
            parts = of_images**2 / (self.images - 1) + of_seeds**2 / max(self.seed_freedom, 1)
            freedom = np.divide(total**2, parts, out=np.ones_like(total), where=parts > 0)
            reach = stdtrit(freedom, (1 + CONFIDENCE) / 2) * np.sqrt(total)
            means = each.mean(axis=1)
            found[:, known] = means, means - reach, means + reach
        return found[0], found[1], found[2]

    def contrast(self, weights: Array) -> Difference | None:
        """A weighted sum of the networks' mean scores, (networks,) weights; None if one that counts has no scores.

        It is computed image by image, so that what images share cancels where the weights sum to 0. The interval
        covers another draw of images and, where any network has several trainings, another draw of seeds
        (Welch-Satterthwaite degrees of freedom).
        """
        counted = np.flatnonzero(weights)
        if not all(self.known(int(network)) for network in counted):
            return None
        each = weights[counted] @ self.scores[counted]
        of_seeds = sum(float(weights[network]) ** 2 * self._seed_variance(int(network)) for network in counted)
        return self._interval(float(each.mean()), float(each.var(ddof=1)) / self.images, of_seeds)

    def half_widths(self) -> Array:
        """(networks,), half of each mean's 95% interval, without what all networks share: how hard the images are.

        Each image's mean over networks is taken away first (Cousineau 2005, with Morey's factor of 2008), so that two
        intervals that hardly overlap are of networks that differ. NaN where there is nothing to say.
        """
        known = np.flatnonzero((self.trainings > 0) & (self.images > 1))
        widths = np.full(len(self.trainings), np.nan)
        if not len(known):
            return widths
        each = self.scores[known]
        centred = each - (each.mean(axis=0) if len(known) > 1 else each.mean())
        factor = len(known) / (len(known) - 1) if len(known) > 1 else 1.0
        of_images = factor * centred.var(axis=1, ddof=1) / self.images
        for network, variance in zip(known, of_images, strict=True):
            found = self._interval(0.0, float(variance), self._seed_variance(int(network)))
            widths[network] = found.high
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

        One-sided paired tests at 2.5%, as many as there are pairs. False where either has no scores.
        """
        count = len(self.trainings)
        if self.images < 2:
            return np.zeros((count, count), dtype=bool)
        means, centred = self.scores.mean(axis=1), self.scores - self.scores.mean(axis=1, keepdims=True)
        covariance = centred @ centred.T / (self.images - 1)
        own = np.diag(covariance)
        of_images = np.maximum(own[:, None] + own[None, :] - 2 * covariance, 0) / self.images
        seed = np.array([self._seed_variance(network) for network in range(count)])
        of_seeds = seed[:, None] + seed[None, :]
        total = of_images + of_seeds
        with np.errstate(invalid="ignore", divide="ignore"):
            freedom = np.square(total) / (
                np.square(of_images) / (self.images - 1) + np.square(of_seeds) / max(self.seed_freedom, 1)
            )
            needed = stdtrit(np.where(np.isfinite(freedom), freedom, 1), (1 + CONFIDENCE) / 2) * np.sqrt(total)
            sure: np.ndarray[Any, np.dtype[np.bool_]] = means[:, None] - means[None, :] + margin > needed
        return sure

    def _seed_variance(self, network: int) -> float:
        if self.seed_deviation is None:
            return 0.0
        return self.seed_deviation**2 / max(int(self.trainings[network]), 1)

    def _interval(self, mean: float, of_images: float, of_seeds: float) -> Difference:
        total = of_images + of_seeds
        if total == 0:
            return Difference(mean, mean, mean, 0.0, float(self.images - 1))
        parts = of_images**2 / (self.images - 1) + (of_seeds**2 / self.seed_freedom if self.seed_freedom else 0.0)
        freedom, error = total**2 / parts, math.sqrt(total)
        reach = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * error
        return Difference(mean, mean - reach, mean + reach, error, freedom)
