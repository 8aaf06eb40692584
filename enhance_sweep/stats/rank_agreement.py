"""How well two orders of the same things agree."""

from collections.abc import Sequence


def kendall_tau(first: Sequence[float], second: Sequence[float]) -> float:
    """Kendall's tau-b: 1 for the same order, -1 for the reverse; ties are counted (Kendall 1938; 1945).

    NaN where it has no value: fewer than two pairs, or one side all ties.
    """
    from scipy.stats import kendalltau  # slow to import

    return float(kendalltau(first, second).statistic)
