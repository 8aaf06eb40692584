from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from enhance_sweep.stats.paired_scores import MARGIN, Difference, PairedScores

#: Scores of three trainings, of 8 images that are all equally hard.
FLAT = np.repeat([[0.90], [0.92], [0.95]], 8, axis=1)


def pooled(per_training: list[list[float]] | np.ndarray, network_of: list[int], networks: int) -> PairedScores:
    return PairedScores.pool(np.asarray(per_training, dtype=float), network_of, networks)


def difference(scores: PairedScores, first: int, second: int) -> Difference | None:
    weights = np.zeros(len(scores.trainings))
    weights[first], weights[second] = 1, -1
    return scores.contrast(weights)


def hard_images(networks: int, images: int = 60, seed: int = 0) -> np.ndarray:
    """Scores whose images differ far more than the networks do."""
    random = np.random.default_rng(seed)
    return 0.9 + random.normal(0, 0.05, images) + random.normal(0, 0.002, (networks, images))


def test_a_difference_is_the_paired_t_test() -> None:
    scores = hard_images(2)
    found = difference(pooled(scores, [0, 1], 2), 0, 1)
    known = stats.ttest_rel(scores[0], scores[1])
    interval = known.confidence_interval(0.95)
    assert (found.mean, found.low, found.high) == pytest.approx(
        ((scores[0] - scores[1]).mean(), interval.low, interval.high)
    )


def test_seeds_are_pooled_and_what_they_change_is_counted() -> None:
    # Without images' noise: a network's trainings differ by 0.01 from their mean, so variance 2e-4 with one degree.
    scores = pooled(FLAT, [0, 0, 1], 2)
    assert scores.trainings.tolist() == [2, 1]
    assert scores.seed_deviation == pytest.approx(0.01 * np.sqrt(2))
    assert scores.seed_freedom == 1
    found = difference(scores, 1, 0)
    error = np.sqrt(2e-4 / 1 + 2e-4 / 2)
    assert found.mean == pytest.approx(0.04)
    assert (found.error, found.freedom) == pytest.approx((error, 1.0))
    assert found.high - found.mean == pytest.approx(stats.t.ppf(0.975, 1) * error)


def test_an_image_without_a_score_is_left_out_for_all() -> None:
    scores = pooled([[1.0, 2.0, np.inf, 4.0], [2.0, 2.0, 3.0, 5.0]], [0, 1], 2)
    assert scores.images == 3
    found = difference(scores, 0, 1)
    assert found.mean == pytest.approx(-2 / 3)


def test_a_training_with_a_score_that_is_no_number_takes_no_image_from_the_others() -> None:
    one, other = hard_images(2)
    broken = np.where(np.arange(60) < 40, np.nan, one)
    scores = pooled(np.stack([one, broken, other, broken]), [0, 1, 2, 2], 3)
    assert scores.images == 60
    assert scores.trainings.tolist() == [1, 0, 1]
    assert difference(scores, 0, 1) is None
    found = difference(scores, 0, 2)
    assert found.mean == pytest.approx((one - other).mean())


def test_a_network_without_scores_is_not_compared_and_harms_no_other() -> None:
    scores = pooled(hard_images(2), [0, 2], 3)
    assert difference(scores, 0, 1) is None
    assert difference(scores, 0, 2) is not None
    assert np.isnan(scores.half_widths()[1])
    assert not scores.not_worse()[1].any()
    assert not scores.not_worse()[:, 1].any()


def test_nothing_at_all_says_nothing() -> None:
    scores = pooled(np.zeros((0, 0)), [], 3)
    assert scores.images == 0
    assert difference(scores, 0, 1) is None
    assert np.isnan(scores.half_widths()).all()
    assert not scores.not_worse().any()


def test_a_contrast_is_computed_image_by_image() -> None:
    scores = hard_images(3)
    weights = np.array([0.5, 0.5, -1.0])
    found = pooled(scores, [0, 1, 2], 3).contrast(weights)
    each = weights @ scores
    interval = stats.ttest_1samp(each, 0).confidence_interval(0.95)
    assert (found.mean, found.low, found.high) == pytest.approx((each.mean(), interval.low, interval.high))


def test_half_widths_leave_out_how_hard_the_images_are() -> None:
    scores = hard_images(4)
    widths = pooled(scores, [0, 1, 2, 3], 4).half_widths()
    alone = stats.t.ppf(0.975, 59) * scores.std(axis=1, ddof=1) / np.sqrt(60)
    assert (widths < 0.1 * alone).all()
    assert pooled(scores[:1], [0], 1).half_widths() == pytest.approx(alone[:1])


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 5), st.integers(3, 12), st.integers(0, 2**16))
def test_all_pairs_at_once_agree_with_each_alone(networks: int, images: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    owners = [*range(networks), *random.integers(networks, size=2)]
    scores = pooled(0.9 + random.normal(0, 0.004, (len(owners), images)), owners, networks)
    together = scores.not_worse()
    for first, second in permutations(range(networks), 2):
        alone = difference(scores, first, second)
        assert together[first, second] == (alone.low > -MARGIN)
        found = [values[first] for values in scores.differences_from(second)]
        assert found == pytest.approx([alone.mean, alone.low, alone.high])


def test_resampled_means_spread_as_the_means_do() -> None:
    scores = pooled(hard_images(2), [0, 1], 2)
    means = scores.resampled_means(4000, np.random.default_rng(0))
    assert means.mean(axis=0) == pytest.approx(scores.scores.mean(axis=1), abs=5e-4)
    assert means.std(axis=0) == pytest.approx(scores.scores.std(axis=1) / np.sqrt(60), rel=0.06)
    # The same images are drawn for both, so their difference hardly moves.
    assert (means[:, 0] - means[:, 1]).std() < 0.1 * means[:, 0].std()


def test_resampled_means_count_seeds() -> None:
    means = pooled(FLAT, [0, 0, 1], 2).resampled_means(4000, np.random.default_rng(0))
    assert means.std(axis=0) == pytest.approx([0.01, 0.01 * np.sqrt(2)], rel=0.05)


@pytest.mark.parametrize("images", [40, 100])
def test_intervals_hold_the_truth_as_often_as_they_say(images: int) -> None:
    random, held = np.random.default_rng(1), 0
    for _ in range(400):
        hard, quality = random.normal(0, 0.05, images), np.repeat([0.90, 0.91], 3)[:, None]
        trainings = quality + hard + random.normal(0, 0.004, (6, 1)) + random.normal(0, 0.01, (6, images))
        found = difference(pooled(trainings, [0, 0, 0, 1, 1, 1], 2), 1, 0)
        held += found.low <= 0.01 <= found.high
    assert 0.92 <= held / 400 <= 0.98
