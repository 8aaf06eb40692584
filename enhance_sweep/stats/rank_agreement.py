"""How well two orders of the same things agree."""

from collections.abc import Sequence

import numpy as np


def kendall_tau(first: Sequence[float], second: Sequence[float]) -> float:
    """Kendall's tau-b: 1 for the same order, -1 for the reverse; ties are counted (Kendall 1938; 1945).

    Over all pairs, since `scipy.stats` takes a second to import. NaN where it has no value: fewer than two pairs, or
    one side all ties.
    """
    signs = [np.sign(np.subtract.outer(values, values)) for values in (np.asarray(first), np.asarray(second))]
    (ours, theirs), untied = signs, [float(np.square(sign).sum()) for sign in signs]
    return float((ours * theirs).sum() / np.sqrt(untied[0] * untied[1])) if all(untied) else float("nan")
