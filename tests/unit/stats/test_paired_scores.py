from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from enhance_sweep.stats.paired_scores import MARGIN, Comparisons, Difference, PairedScores

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
        compared = scores.compared_with(second)
        found = [values[first] for values in (compared.means, compared.errors, compared.freedom)]
        assert found == pytest.approx([alone.mean, alone.error, alone.freedom])


# --- several networks against one -------------------------------------------------------------------------------------


def of(*means: float, error: float = 0.001, freedom: float = 99.0) -> Comparisons:
    return Comparisons(np.array(means), np.full(len(means), error), np.full(len(means), freedom))


def test_a_comparison_is_the_one_sided_paired_t_test() -> None:
    scores = hard_images(4)
    compared = pooled(scores, [0, 1, 2, 3], 4).compared_with(2)
    assert compared.count == 3
    assert np.isnan(compared.means[2])
    for network in (0, 1, 3):
        known = stats.ttest_rel(scores[network], scores[2] - MARGIN, alternative="greater")
        assert compared.p_above(-MARGIN)[network] == pytest.approx(known.pvalue, abs=1e-9)


def test_an_interval_of_one_comparison_is_the_t_tests() -> None:
    scores = hard_images(2)
    low, high = pooled(scores, [0, 1], 2).compared_with(0).intervals()
    known = stats.ttest_rel(scores[1], scores[0]).confidence_interval(0.95)
    assert (low[1], high[1]) == pytest.approx((min(known.low, 0), known.high))


def test_the_ends_of_intervals_by_hand() -> None:
    low, high = of(0.004, -0.008, 0.0).intervals()
    quantile = {count: stats.t.ppf(1 - 0.025 / count, 99) for count in (1, 2, 3)}
    # Better: one of three is tested first, alone. Worse: another. In errors of 0.001; the lower ends of those that are
    # not better are of the tests against the margin, where the first is passed at a third, the third (2 errors) is not.
    assert low == pytest.approx([0.004 - 0.001 * quantile[3], -0.008 - 0.001 * quantile[2], -0.001 * quantile[2]])
    assert high == pytest.approx([0.004 + 0.001 * quantile[2], -0.008 + 0.001 * quantile[3], 0.001 * quantile[2]])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=8), st.floats(0.5, 4))
def test_intervals_show_what_is_decided(means: list[float], margin: float) -> None:
    compared = of(*means, error=1.0, freedom=12.0)
    for mean, low, high, decision in zip(means, *compared.intervals(margin), compared.decisions(margin), strict=True):
        assert low <= mean <= high
        assert (low > 0) == (decision == "better")
        assert (low > -margin) == (decision in ("better", "as good"))
        assert (high < 0) == (decision == "worse") or decision == "as good"


def test_each_decision_by_hand() -> None:
    # In standard errors from 0 and, in brackets, from the margin: 4 (6), 0 (2), -1 (1), -8 (-6), 0.8 (2.8).
    found = of(0.004, 0.0, -0.001, -0.008, 0.0008).decisions()
    # One-sided, 5 tests: 4 is sure of being better; of those above the margin 6 is sure, then 2.8 (4 x 0.003 = 0.012),
    # then 2 is not (3 x 0.024 = 0.072).
    assert found.tolist() == ["better", "undecided", "undecided", "worse", "as good"]


def test_what_is_surely_worse_but_by_less_than_the_margin_is_as_good() -> None:
    assert of(-0.001, error=0.0001).decisions().tolist() == ["as good"]
    assert of(-0.003, error=0.0001).decisions().tolist() == ["worse"]


def test_a_winner_alone_is_none_of_23() -> None:
    alone = of(0.0005, error=0.00095)
    assert alone.p_above(-MARGIN) == pytest.approx([0.0049], abs=1e-4)
    assert alone.decisions().tolist() == ["as good"]
    among = of(0.0005, *[-0.0025] * 22, error=0.00095)
    assert among.decisions()[0] == "undecided"


def test_scores_without_any_spread_are_told_apart_by_their_sign() -> None:
    assert of(0.0, 0.1, -0.1, error=0.0).decisions().tolist() == ["as good", "better", "worse"]


def test_without_the_one_to_compare_with_nothing_is_decided() -> None:
    for compared in (
        pooled(hard_images(3), [0, 1, 2], 3).compared_with(None),
        pooled(np.zeros((0, 0)), [], 2).compared_with(0),
    ):
        assert compared.count == 0
        assert set(compared.decisions()) == {None}
        assert np.isnan(compared.intervals()).all()


def test_chance_decides_one_of_ten_equal_networks_seldom_and_uncorrected_often() -> None:
    random, wrong, uncorrected = np.random.default_rng(2), 0, 0
    for _ in range(300):
        compared = pooled(0.9 + random.normal(0, 0.05, 40) + random.normal(0, 0.01, (11, 40)), range(11), 11)
        compared = compared.compared_with(0)
        wrong += bool({"better", "worse"} & set(compared.decisions()))
        uncorrected += bool((compared.p_above(0)[1:] < 0.025).any() or (compared.p_above(0)[1:] > 0.975).any())
    assert wrong / 300 <= 0.07
    assert uncorrected / 300 >= 0.2


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
