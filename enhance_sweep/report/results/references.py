"""Published scores of other networks on the report's test images, where they are known."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import pandas as pd

from enhance_sweep.report.results.gather import Results


@dataclass(frozen=True)
class Reference:
    """A network that was not trained here, scored on the same test images.

    Attributes:
        name: what it is.
        source: who trained it, on what.
    """

    name: str
    psnr_db: float
    ms_ssim: float
    source: str


def references(results: Results) -> list[Reference]:
    """The references for the report's data set; empty if nobody else has scored it."""
    table = _table()
    rows = table[table["data_fingerprint"] == (results.fingerprint or "")]
    return [Reference(*row) for row in rows[["name", "psnr_db", "ms_ssim", "source"]].itertuples(index=False)]


@cache
def _table() -> pd.DataFrame:
    with files("enhance_sweep.paper").joinpath("references.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file)
