"""The host's lock, between real processes."""

import subprocess
from pathlib import Path

import pytest

from enhance_sweep.system.locks import host_lock
from tests.unit.system.processes import said, started

HOLD = "import sys; from pathlib import Path; from enhance_sweep.system.locks import host_lock"


def holder(path: Path, shared: bool) -> "subprocess.Popen[str]":
    """A process that holds the lock, and has said so."""
    lock = f"host_lock({shared}, Path({str(path)!r}))"
    return started(f"{HOLD}\nwith {lock}:\n    print('held', flush=True)\n    sys.stdin.read()")


@pytest.mark.parametrize(("first", "second"), [(False, False), (True, False), (False, True)])
def test_timing_is_alone_and_a_dead_holder_lets_go(tmp_path: Path, first: bool, second: bool) -> None:
    path = tmp_path / "lock"
    one = holder(path, first)
    assert said(one) == "held"
    two = holder(path, second)
    message = two.stderr.readline()
    assert ("a training run" if first else f"timing in process {one.pid}") in message
    one.kill()
    one.wait()
    assert said(two) == "held"
    two.communicate("")
    assert two.returncode == 0


def test_trainings_share(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    processes = [holder(path, shared=True) for _ in range(2)]
    assert [said(process) for process in processes] == ["held", "held"]
    for process in processes:
        process.communicate("")


def test_the_lock_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), host_lock(path=tmp_path / "lock"):
        raise KeyError
    with host_lock(path=tmp_path / "lock"):
        pass
