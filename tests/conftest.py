"""Fixtures that all tests share."""

import os
from pathlib import Path

import pytest

# Tests compute little, and often beside other processes: a second thread would mostly wait, and while it waits must
# not keep a core busy. Set before torch starts.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the golden values and the DPED sample, or a skip with the reason."""
    place = os.environ.get("ENHANCE_SWEEP_SHARED")
    if not place:
        pytest.skip("ENHANCE_SWEEP_SHARED is not set: it names the folder with reference/golden and dped-sample")
    return Path(place).resolve()
