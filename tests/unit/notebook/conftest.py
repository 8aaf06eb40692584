"""The committed reports' records, as the notebook loads them."""

from pathlib import Path

import pandas as pd
import pytest

from enhance_sweep.records import load_records

REPORTS = Path(__file__).parents[3] / "reports"


@pytest.fixture(scope="session")
def reports() -> Path:
    """The committed reports; not there where the package alone is installed."""
    if not REPORTS.is_dir():
        pytest.skip("not a checkout: the reports are not installed")
    return REPORTS


@pytest.fixture(scope="module")
def photos(reports: Path) -> pd.DataFrame:
    """Networks trained and timed."""
    return load_records(reports / "photos" / "records")


@pytest.fixture(scope="module")
def timing(reports: Path) -> pd.DataFrame:
    """Networks timed alone."""
    measurement = {"runtime": "eager", "precision": "fp32", "allocator": "tuned", "layout": "channels_last"}
    return load_records(reports / "timing" / "records", measurement)
