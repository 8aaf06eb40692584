"""Fixtures that all tests share."""

import csv
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from multiprocessing.util import Finalize
from pathlib import Path

import pytest

from enhance_sweep.system import waiting

# Tests compute little, and often beside other processes: a second thread would mostly wait, and while it waits must
# not keep a core busy. Set before torch starts. Whatever the shell says of waiting, tests see what the harness sets:
# keys and records of timings name what the user has set.
os.environ.setdefault("OMP_NUM_THREADS", "1")
for name in waiting.VARIABLES:
    os.environ.pop(name, None)
os.environ.update(waiting.asleep(os.environ))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate", action="store_true", help="write the expected files anew instead of comparing")


@pytest.fixture(scope="session", autouse=True)
def own_host() -> Iterator[None]:
    """Give each pytest process a temporary folder of its own, and so its own lock of the host.

    Trainings and timings of one test never wait for those of another, nor for a real sweep on the same machine. The
    path is short: Unix sockets that are made in it have names of at most 107 bytes.
    """
    folder = tempfile.mkdtemp(prefix="es-")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        yield
    # After multiprocessing has removed its own folder in it, at -100.
    Finalize(None, shutil.rmtree, args=(folder,), kwargs={"ignore_errors": True}, exitpriority=-200)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the golden values and the DPED sample, or a skip with the reason."""
    place = os.environ.get("ENHANCE_SWEEP_SHARED")
    if not place:
        pytest.skip("ENHANCE_SWEEP_SHARED is not set: it names the folder with reference/golden and dped-sample")
    return Path(place).resolve()


@pytest.fixture(scope="session")
def assert_same_table() -> Callable[[str, str], None]:
    """Compares two CSV texts: words equal, numbers within 1e-9."""

    def values(text: str) -> list[list[float | str]]:
        return [[value(cell) for cell in row] for row in csv.reader(io.StringIO(text))]

    def value(cell: str) -> float | str:
        try:
            return float(cell)
        except ValueError:
            return cell

    def compare(made: str, expected: str) -> None:
        rows, wanted = values(made), values(expected)
        assert rows[0] == wanted[0]
        assert len(rows) == len(wanted)
        for row, other in zip(rows[1:], wanted[1:], strict=True):
            for name, ours, theirs in zip(rows[0], row, other, strict=True):
                near = theirs if isinstance(theirs, str) else pytest.approx(theirs, rel=1e-9, abs=1e-15, nan_ok=True)
                assert ours == near, f"{row[0]}: {name}"

    return compare
