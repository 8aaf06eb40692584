"""How well orders of the same things agree, and how sure that is."""

import math
from collections.abc import Sequence
from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np

from enhance_sweep.stats.student import SIDE

Array = np.ndarray[Any, np.dtype[np.float64]]

#: A rank agreement of fewer things than this says nothing.
FEWEST_RANKED = 4


def kendall_tau(first: Sequence[float], second: Sequence[float]) -> float:
    """Kendall's tau-b: 1 for the same order, -1 for the reverse; ties are counted (Kendall 1938; 1945).

    Over all pairs, since `scipy.stats` takes a second to import. NaN where it has no value: fewer than two pairs, or
    one side all ties.
    """
    return float(kendall_taus(np.asarray([first, second], dtype=float))[0, 1])


def kendall_taus(values: Array) -> Array:
    """(M, M): Kendall's tau-b of every two of several orders of the same N things, (M, N)."""
    signs = values[:, :, None] - values[:, None, :]
    np.sign(signs, out=signs)  # in place: of hundreds of things, new arrays would take most of the time
    signs = signs.reshape(len(values), -1)
    agreeing = signs @ signs.T
    untied = np.diag(agreeing)
    with np.errstate(divide="ignore", invalid="ignore"):
        taus: Array = agreeing / np.sqrt(np.outer(untied, untied))
    return taus


def tau_interval(tau: float, count: int) -> tuple[float, float]:
    """The 95% interval of a tau of `count` independent things, of at least 5.

    The inverse hyperbolic tangent of tau is nearly normal, with a variance of 0.437 / (count - 4), for 10 things or
    more and a tau up to 0.8 (Fieller, Hartley and Pearson 1957).
    """
    half_width = NormalDist().inv_cdf(1 - SIDE) * math.sqrt(0.437 / (count - 4))
    return math.tanh(math.atanh(tau) - half_width), math.tanh(math.atanh(tau) + half_width)


def unrelated_share(tau: float, count: int) -> float:
    """The share of all orders of `count` things whose tau with a given one, without ties, is at least so far from 0.

    It is the exact p-value of a two-sided test of whether two orders have anything to do with each other.
    """
    orders, pairs = _orders_by_inversions(count), count * (count - 1) // 2
    as_far = sum(
        number for inversions, number in enumerate(orders) if abs(pairs - 2 * inversions) >= abs(tau) * pairs - 1e-6
    )
    return as_far / sum(orders)


def unrelated_limit(count: int) -> float:
    """The smallest tau that at most 5% of all orders of `count` things are as far from 0 as; above 1 if none is."""
    pairs = count * (count - 1) // 2
    taus = [(pairs - 2 * inversions) / pairs for inversions in range(pairs // 2 + 1)]
    return min((tau for tau in taus if unrelated_share(tau, count) <= 2 * SIDE), default=math.inf)


@cache
def _orders_by_inversions(count: int) -> list[int]:
    """How many orders of `count` things have 0, 1, 2, ... pairs the other way round (Kendall 1938)."""
    orders = [1]
    for size in range(2, count + 1):
        # The largest thing can stand at any of `size` places, behind which 0 to size - 1 others come.
        longer = [0] * (len(orders) + size - 1)
        for inversions, number in enumerate(orders):
            for behind in range(size):
                longer[inversions + behind] += number
        orders = longer
    return orders
