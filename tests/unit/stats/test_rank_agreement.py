"""Rank agreement: taus against counting by hand, chance against all orders, intervals against simulations."""

from itertools import permutations

import numpy as np
import pytest

from enhance_sweep.stats.paired_scores import PairedScores
from enhance_sweep.stats.rank_agreement import kendall_tau, kendall_taus, tau_interval, unrelated_limit, unrelated_share


def test_taus_of_every_two_by_hand() -> None:
    orders = np.array([[1, 2, 3, 4], [10, 20, 40, 30], [4, 3, 2, 1], [1, 1, 2, 2]], dtype=float)
    expected = [
        [1, 4 / 6, -1, 4 / np.sqrt(6 * 4)],
        [4 / 6, 1, -4 / 6, 4 / np.sqrt(6 * 4)],
        [-1, -4 / 6, 1, -4 / np.sqrt(6 * 4)],
        [4 / np.sqrt(6 * 4), 4 / np.sqrt(6 * 4), -4 / np.sqrt(6 * 4), 1],
    ]
    np.testing.assert_allclose(kendall_taus(orders), expected)


def test_taus_are_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    orders = np.random.default_rng(0).integers(0, 12, size=(4, 30)).astype(float)
    for first, second in zip(*np.triu_indices(4, 1), strict=True):
        expected = stats.kendalltau(orders[first], orders[second]).statistic
        assert kendall_taus(orders)[first, second] == pytest.approx(expected)
        assert kendall_tau(orders[first], orders[second]) == pytest.approx(expected)


def test_of_things_that_are_all_alike_there_is_no_tau() -> None:
    taus = kendall_taus(np.array([[1.0, 2, 3], [5, 5, 5]]))
    assert taus[0, 0] == 1
    assert np.isnan([taus[0, 1], taus[1, 1]]).all()


@pytest.mark.parametrize("count", [2, 3, 5, 6])
def test_the_share_of_orders_is_that_of_all_orders(count: int) -> None:
    taus = np.array([kendall_tau(range(count), order) for order in permutations(range(count))])
    for tau in np.unique(np.round(taus, 9)):
        assert unrelated_share(tau, count) == pytest.approx((np.abs(taus) >= abs(tau) - 1e-9).mean())


def test_the_limit_is_the_first_that_is_seldom_by_chance() -> None:
    limit = unrelated_limit(12)
    assert limit == pytest.approx(30 / 66)
    assert unrelated_share(limit, 12) <= 0.05 < unrelated_share(28 / 66, 12)
    assert unrelated_limit(4) == np.inf, "2 of 24 orders are as far from 0 as can be"


def test_an_interval_is_fiellers() -> None:
    # z is 0.5698 at a tau of 0.5152, its deviation the root of 0.437 / 8, 0.2337.
    assert tau_interval(34 / 66, 12) == pytest.approx((np.tanh(0.5698 - 0.4581), np.tanh(0.5698 + 0.4581)), abs=1e-4)


@pytest.mark.parametrize("correlation", [0.0, 0.4, 0.7])
def test_intervals_of_twelve_things_hold_the_truth_as_often_as_they_say(correlation: float) -> None:
    """Of two normal values the true tau is 2 / pi times the arc sine of their correlation (Kendall 1949)."""
    random = np.random.default_rng(1)
    truth, held, times = 2 / np.pi * np.arcsin(correlation), 0, 1500
    for _ in range(times):
        first, other = random.normal(size=(2, 12))
        tau = kendall_tau(first, correlation * first + np.sqrt(1 - correlation**2) * other)
        low, high = tau_interval(min(max(tau, -0.98), 0.98), 12)
        held += low <= truth <= high
    assert held / times == pytest.approx(0.95, abs=0.02)


def test_drawing_images_tells_how_sure_the_order_of_networks_is() -> None:
    """The tau of endless images lies within the draws' interval 95 times in 100 where networks stand out of chance.

    24 networks, whose means over 100 images vary by a tenth of what the networks differ by, and together in both
    measures, as images and networks do.
    """
    random = np.random.default_rng(2)
    held, times = 0, 100
    for _ in range(times):
        first, other = random.normal(size=(2, 24))
        means = np.stack([first, 0.9 * first + np.sqrt(1 - 0.9**2) * other])
        noise = random.normal(size=(2, 24, 100))
        noise[1] = 0.8 * noise[0] + 0.6 * noise[1]
        drawn = [
            PairedScores(mean[:, None] + one, np.ones(24, dtype=int), None, 0).resampled_means(
                200, np.random.default_rng(0)
            )
            for mean, one in zip(means, noise, strict=True)
        ]
        taus = [kendall_taus(np.stack(pair))[0, 1] for pair in zip(*drawn, strict=True)]
        low, high = np.quantile(taus, [0.025, 0.975])
        held += low <= kendall_taus(means)[0, 1] <= high
    assert held >= 92
