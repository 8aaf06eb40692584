"""The training losses that a run wrote beside its record."""

from pathlib import Path

import numpy as np
import pandas as pd

from enhance_sweep.records.store import trained_dir

LOSSES_FILE = "losses.csv"
#: A curve of more points than this shows noise: neighbours are averaged.
_MOST_POINTS = 60


def loss_curve(runs: Path, key: str) -> tuple[list[int], list[float]]:
    """Steps and the generator's total loss, neighbours averaged; two empty lists if there is no readable curve.

    `key` is the training's learned key.
    """
    path = trained_dir(runs, key) / LOSSES_FILE
    try:
        table = pd.read_csv(path, usecols=["step", "total"], dtype=float)
    except (OSError, ValueError, pd.errors.ParserError):
        return [], []
    table = table[np.isfinite(table.to_numpy()).all(axis=1)]
    table = table[table["step"] > 0]
    if table.empty:
        return [], []
    group = np.arange(len(table)) * min(_MOST_POINTS, len(table)) // len(table)
    means = table.groupby(group).mean()
    return [int(step) for step in means["step"]], [float(loss) for loss in means["total"]]
