"""A sweep that is killed, stopped, shared or out of room ends as one that nothing happened to."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from enhance_sweep.records import load_records
from enhance_sweep.records.store import timed_records, trained_records

FOUR = ["model.channels=2,3", "model.blocks=0,1"]
TWO = ["model.channels=2", "model.blocks=0,1"]


def begin(arguments: list[str], cwd: Path, log: Path) -> "subprocess.Popen[bytes]":
    """A sweep in a session of its own, so that a kill takes whatever it has started along."""
    with log.open("ab") as file:
        command = [sys.executable, "-m", "enhance_sweep", "-m", *arguments]
        return subprocess.Popen(
            command, cwd=cwd, stdout=file, stderr=file, start_new_session=True, preexec_fn=_hear_ctrl_c
        )


def _hear_ctrl_c() -> None:
    """Whoever started the tests in the background may have made them deaf to it, and what they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def finish(arguments: list[str], cwd: Path) -> str:
    """Run a sweep to its end; what it says."""
    command = [sys.executable, "-m", "enhance_sweep", "-m", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def status(cwd: Path) -> str:
    command = [sys.executable, "-m", "enhance_sweep.status"]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True).stdout


def whole_records(runs: Path, variants: int) -> dict[str, dict[str, Any]]:
    """The records of trained variants by key, after checking that nothing is missing, torn, or there twice."""
    trained = {record["key"]: record for record in trained_records(runs)}
    timed = list(timed_records(runs))
    assert len(trained) == len(timed) == variants
    assert len({record["key"] for record in timed}) == variants
    assert {record["status"] for record in [*trained.values(), *timed]} == {"completed"}
    assert not [path for path in runs.rglob("*") if path.name.endswith((".part", ".partial"))]
    assert [path for path in (runs / "leases").rglob("*") if path.is_file()] == []
    for key in trained:
        folder = runs / "trained" / key
        assert {"generator.pt", "losses.csv", "scores.csv", "last.ckpt"} <= {path.name for path in folder.iterdir()}
    return trained


def assert_equal(one: dict[str, dict[str, Any]], other: dict[str, dict[str, Any]]) -> None:
    """Same seed, same steps, same machine: the same scores, on the way too."""
    assert one.keys() == other.keys()
    for key, record in one.items():
        assert record["steps"] == other[key]["steps"]
        for mine, its in zip(record["quality"], other[key]["quality"], strict=True):
            assert mine == pytest.approx(its, abs=1e-4)
        assert record["scores"] == pytest.approx(other[key]["scores"], abs=1e-4)


def kill_and_restart(quick: list[str], tmp_path: Path, variants: list[str], steps: int, kills: int, seed: int) -> None:
    """Run a sweep whole; then another of the same that is killed so often; compare."""
    grid = [*(one for one in quick if not one.startswith("runs_dir")), *variants, f"trainer.max_steps={steps}"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    clock = time.monotonic()
    process = begin(grid, whole, tmp_path / "whole.log")
    while not (whole / "runs" / "sweeps").exists():
        assert process.poll() is None, (tmp_path / "whole.log").read_text()
        time.sleep(0.05)
    start_s = time.monotonic() - clock
    assert process.wait() == 0, (tmp_path / "whole.log").read_text()
    work_s = time.monotonic() - clock - start_s

    moments = random.Random(seed)
    for _ in range(kills):
        process = begin(grid, killed, tmp_path / "killed.log")
        time.sleep(moments.uniform(0.5 * start_s, start_s + 1.5 * work_s / kills))
        assert process.poll() is None, (tmp_path / "killed.log").read_text()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    said = finish(grid, killed)
    count = len(load_records(whole / "runs"))
    assert f"{count} of {count} variants are complete" in said
    assert_equal(whole_records(killed / "runs", count), whole_records(whole / "runs", count))
    assert f"{count} variants: {count} done" in status(killed)


def test_a_killed_sweep_goes_on(quick: list[str], tmp_path: Path) -> None:
    kill_and_restart(quick, tmp_path, TWO, steps=350, kills=3, seed=1)


@pytest.mark.slow
def test_a_sweep_killed_at_20_random_moments_goes_on(quick: list[str], tmp_path: Path) -> None:
    kill_and_restart(quick, tmp_path, FOUR, steps=1000, kills=20, seed=2)


@pytest.mark.parametrize(("number", "exit_status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_polite_stop_saves_the_step_it_is_at(
    quick: list[str], tmp_path: Path, number: signal.Signals, exit_status: int
) -> None:
    grid = [*quick, *TWO, "trainer.max_steps=100000", "stages=[train]"]
    process = begin(grid, tmp_path, tmp_path / "log")
    while not list((tmp_path / "runs").rglob("record.json")):
        assert process.poll() is None, (tmp_path / "log").read_text()
        time.sleep(0.05)
    time.sleep(2)
    running = status(tmp_path)
    assert f"process {process.pid}, since" in running
    process.send_signal(number)
    assert process.wait(60) == exit_status, (tmp_path / "log").read_text()
    said = (tmp_path / "log").read_text()
    assert "stopping after this step" in said
    assert "stopped; the same command again goes on from here" in said
    assert "Traceback" not in said
    assert list((tmp_path / "runs").rglob("last.ckpt"))
    assert "2 variants: 1 interrupted, 1 missing" in status(tmp_path)


def test_two_sweeps_at_once_share_the_work(quick: list[str], tmp_path: Path) -> None:
    grid = [*quick, *FOUR, "trainer.max_steps=150"]
    both = [begin(grid, tmp_path, tmp_path / f"log{number}") for number in (1, 2)]
    assert [process.wait() for process in both] == [0, 0]
    logs = [(tmp_path / f"log{number}").read_text() for number in (1, 2)]
    assert all("4 of 4 variants are complete" in log for log in logs)
    whole_records(tmp_path / "runs", 4)
    # Each was trained by one of them, and each of them trained some.
    trained = [log.count("completed (did train") for log in logs]
    assert sum(trained) == 4, logs
    assert min(trained) > 0, logs


def test_code_or_data_that_changed_since_a_sweep_began_are_noticed(quick: list[str], tmp_path: Path) -> None:
    grid = [*quick, "model.channels=2,3", "stages=[train,evaluate]"]
    assert "since this sweep" not in finish(grid, tmp_path)
    (manifest,) = (tmp_path / "runs" / "sweeps").iterdir()
    text = manifest.read_text()
    from enhance_sweep.sweep.code_digest import code_digest

    manifest.write_text(text.replace(code_digest(), "0123456789ab"))
    said = finish(grid, tmp_path)
    assert f"its code has changed (0123456789ab then, {code_digest()} now)" in said


# --- a full disk ------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here ({mounted.stderr.strip()}): root may")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path, free: int) -> Path:
    """A file that leaves so many bytes."""
    filler, there = disk / "filler", os.statvfs(disk)
    filler.write_bytes(b"x" * max(0, there.f_bavail * there.f_frsize - free))
    return filler


@pytest.mark.parametrize(
    ("free", "which"),
    [
        (0, "sweeps"),
        (24 * 1024, "record.json|last.ckpt|leases|losses.csv"),
        (120 * 1024, "last.ckpt|generator.pt|losses.csv"),
    ],
)
def test_a_full_disk_is_told_and_tears_nothing(
    quick: list[str], tmp_path: Path, small_disk: Path, free: int, which: str
) -> None:
    grid = [*quick, "model.channels=16,8", "stages=[train,evaluate]", f"runs_dir={small_disk / 'runs'}"]
    filler = fill(small_disk, free)
    command = [sys.executable, "-m", "enhance_sweep", "-m", *grid]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "No space left" in line or "no space left" in line
    assert any(name in line for name in which.split("|")), line
    assert "Traceback" not in done.stderr
    for record in trained_records(small_disk / "runs"):  # what is there can be read
        assert record["status"] != "failed"
    assert not [path for path in small_disk.rglob("*") if path.name.endswith(".part")]

    filler.unlink()
    assert "2 of 2 variants are complete" in finish(grid, tmp_path)
    assert {record["status"] for record in trained_records(small_disk / "runs")} == {"completed"}


def test_a_full_cache_is_told_and_packed_again(quick: list[str], tmp_path: Path, small_disk: Path) -> None:
    fill(small_disk, 100 * 1024)
    environment = os.environ | {"ENHANCE_SWEEP_CACHE": str(small_disk / "cache")}
    command = [sys.executable, "-m", "enhance_sweep", *quick, "stages=[train]"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "space" in done.stderr.splitlines()[-1]
    (small_disk / "filler").unlink()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
