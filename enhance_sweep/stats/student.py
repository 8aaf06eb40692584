"""Intervals of means by Student's t."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import stdtrit

Array = np.ndarray[Any, np.dtype[np.float64]]

#: Of every interval that this package shows.
CONFIDENCE = 0.95


def t_quantile(freedom: Any) -> Any:
    """How many standard errors half a 95% interval spans, for each number of degrees of freedom ("Student" 1908)."""
    return stdtrit(freedom, (1 + CONFIDENCE) / 2)


def half_width(values: Array) -> float:
    """Half the 95% interval of the mean of at least two independent values, (N,)."""
    count = len(values)
    return float(t_quantile(count - 1) * values.std(ddof=1) / np.sqrt(count))


def welch_satterthwaite(variances: Sequence[Array], freedoms: Sequence[float]) -> Array:
    """The degrees of freedom of a sum of independent estimates of variance (Satterthwaite 1946; Welch 1947).

    Where every variance is 0 or one is missing the formula has no answer; the first estimate's freedom stands in.

    Args:
        variances: of the mean, one array for each source; all of one shape.
        freedoms: of each source. Below 1 counts as 1: a source without freedom has a variance of 0.
    """
    total = np.square(np.sum(variances, axis=0))
    parts = np.sum([np.square(one) / max(freedom, 1) for one, freedom in zip(variances, freedoms, strict=True)], axis=0)
    found: Array = np.divide(total, parts, out=np.full_like(total, freedoms[0]), where=parts > 0)
    return found
