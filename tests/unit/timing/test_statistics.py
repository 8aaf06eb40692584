from enhance_sweep.timing.statistics import agree, interquartile_range, median


def test_median_and_quartiles() -> None:
    assert median([3.0, 1.0, 2.0]) == 2.0
    assert interquartile_range([1.0, 2.0, 3.0, 4.0, 5.0]) == 2.0


def test_agreement_is_between_the_largest_and_the_smallest() -> None:
    assert agree([100.0, 104.9, 102.0], 0.05)
    assert not agree([100.0, 105.1, 102.0], 0.05)
