"""Student's intervals and what they rest on, against scipy's own tests."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from enhance_sweep.stats.pooling import pooled_deviation
from enhance_sweep.stats.student import half_width, t_quantile, t_quantiles, t_tail, welch_satterthwaite

FIRST = np.array([3.1, 2.7, 4.4, 3.9, 2.2])
SECOND = np.array([1.0, 9.5, 4.0, 6.6])


def test_the_quantile_is_students_for_few_and_for_many_degrees_of_freedom() -> None:
    freedom = np.concatenate([np.linspace(1, 3, 101), np.linspace(3, 200, 500), np.geomspace(200, 1e5, 100)])
    assert t_quantile(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-9)
    assert t_quantile(freedom.reshape(-1, 1)[::-1])[-1, 0] == pytest.approx(t_quantile(1))
    assert np.isnan(t_quantile(np.array([np.nan, 4.0]))).tolist() == [True, False]


@pytest.mark.parametrize("tests", [5, 23, 400])
def test_the_quantile_of_a_wider_interval_is_students(tests: int) -> None:
    freedom = np.array([1, 2, 3, 4.5, 10, 19.9, 99, 1e4])
    confidence = 1 - 0.05 / (tests + np.arange(len(freedom)))
    assert t_quantiles(freedom, confidence) == pytest.approx(stats.t.ppf((1 + confidence) / 2, freedom), rel=2e-8)


@pytest.mark.parametrize("t", [0.0, 0.3, 1.0, 2.9, 7.0, 40.0, np.inf, -0.5, -4.0])
def test_the_tail_is_students(t: float) -> None:
    freedom = np.concatenate([np.linspace(1, 5, 41), np.geomspace(5, 1e5, 40)])
    assert t_tail(np.full(len(freedom), t), freedom) == pytest.approx(stats.t.sf(t, freedom), abs=2e-8)


def test_the_tail_beyond_the_quantile_is_what_it_was_asked_for() -> None:
    freedom = np.array([3.0, 12.5, 99.0])
    assert t_tail(t_quantile(freedom), freedom) == pytest.approx([0.025] * 3)
    assert np.isnan(t_tail(np.array([np.nan, 1.0]), np.array([np.nan, 9.0]))).tolist() == [True, False]


def test_half_a_means_interval_is_students() -> None:
    low, high = stats.t.interval(0.95, len(FIRST) - 1, FIRST.mean(), stats.sem(FIRST))
    assert half_width(FIRST) == pytest.approx((high - low) / 2)


def test_degrees_of_freedom_are_welchs() -> None:
    variances = [np.array([one.var(ddof=1) / len(one)]) for one in (FIRST, SECOND)]
    welch = stats.ttest_ind(FIRST, SECOND, equal_var=False)
    assert welch_satterthwaite(variances, [4, 3])[0] == pytest.approx(welch.df)


def test_a_source_without_a_variance_counts_for_nothing() -> None:
    none = np.zeros(3)
    found = welch_satterthwaite([np.array([2.0, 0.0, np.nan]), none], [7, 0])
    assert found.tolist() == [7, 7, 7], "one source alone, none at all, and one that is missing"


def test_pooled_deviation_is_the_root_of_the_mean_square_within_groups() -> None:
    random = np.random.default_rng(0)
    groups = np.array([0, 0, 2, 2, 2, 3])
    values = random.normal(size=6)
    within = pd.Series(values).groupby(groups).transform(lambda one: one - one.mean())
    deviation, freedom = pooled_deviation(values, groups)
    assert freedom == 3
    assert deviation == pytest.approx(np.sqrt((within**2).sum() / 3))
    assert pooled_deviation(values[:2], np.array([0, 1])) == (None, 0)
    assert pooled_deviation(values[:0], groups[:0]) == (None, 0)
