"""The frontier's hypervolumes with their intervals, for a spreadsheet; people read them in the report's sentences."""

from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.tables.model import Column, to_csv

FILE = "hypervolume.csv"
_COLUMNS = ("quality", "untouched", "summed_over", "hypervolume", "hypervolume_low", "hypervolume_high")


def hypervolumes_csv(results: Results) -> str:
    """A row for each way to sum; empty without speed-ups, scores per image or the untouched input's score."""
    evidence, quality = results.evidence, results.quality.name
    found = {
        "latency as a share of the baseline's": evidence.hypervolume,
        "log2 of the speed-up from 1 on": evidence.log_hypervolume,
    }
    rows = [
        dict(zip(_COLUMNS, (quality, results.untouched[quality], over, one.value, one.low, one.high), strict=True))
        for over, one in found.items()
        if one is not None
    ]
    return to_csv([Column(name) for name in _COLUMNS], rows) if rows else ""
