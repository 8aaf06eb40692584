"""A sweep that is killed, stopped, shared or out of room ends as one that nothing happened to."""

import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from enhance_sweep.records.schema import TrainedRecord
from enhance_sweep.records.store import timed_records, trained_records
from enhance_sweep.sweep.code_digest import code_digest
from tests.commands import Command, run
from tests.integration.figures import figures

FOUR = ["model.channels=2,3", "model.blocks=0,1"]
TWO = ["model.channels=2", "model.blocks=0,1"]


def begin(arguments: list[str], cwd: Path, said: Path | None = None) -> Command:
    return Command("enhance_sweep", "-m", *arguments, cwd=cwd, said=said)


def finish(arguments: list[str], cwd: Path) -> str:
    """Run a sweep to its end; what it says."""
    done = run("enhance_sweep", "-m", *arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stderr


def status(cwd: Path) -> str:
    return run("enhance_sweep.status", cwd=cwd).stdout


def wait_until(happened: Callable[[], object], process: Command) -> None:
    """Wait while it runs."""
    while not happened():
        assert process.poll() is None, process.said()
        time.sleep(0.01)


def whole_records(runs: Path, variants: int, are_timed: bool = True) -> dict[str, TrainedRecord]:
    """The records of trained variants by key, after checking that nothing is missing, torn, or there twice."""
    trained = {record.key: record for record in trained_records(runs)}
    timed = list(timed_records(runs))
    assert len(trained) == variants
    assert len(timed) == len({record.key for record in timed}) == variants * are_timed
    assert {one.status for one in trained.values()} | {one.status for one in timed} == {"completed"}
    assert not [path for path in runs.rglob("*") if path.name.endswith((".part", ".partial"))]
    assert [path for path in (runs / "leases").rglob("*") if path.is_file()] == []
    for key in trained:
        folder = runs / "trained" / key
        assert {"generator.pt", "losses.csv", "scores.csv", "last.ckpt"} <= {path.name for path in folder.iterdir()}
    return trained


def assert_equal(one: dict[str, TrainedRecord], other: dict[str, TrainedRecord]) -> None:
    """Same seed, same steps, same machine: the same scores, on the way too."""
    assert one.keys() == other.keys()
    for key, record in one.items():
        assert record.steps == other[key].steps
        for mine, its in zip(record.quality, other[key].quality, strict=True):
            assert figures(mine) == pytest.approx(figures(its), abs=1e-4)
        assert figures(record.scores) == pytest.approx(figures(other[key].scores), abs=1e-4)


def test_a_killed_sweep_goes_on(quick: list[str], tmp_path: Path) -> None:
    """Killed after a checkpoint, while it times, and when the next variant has begun."""
    grid = [*quick, *TWO, "trainer.max_steps=130"]  # a checkpoint after 100
    runs, log = tmp_path / "runs", tmp_path / "log"
    for moment, statuses in (
        (lambda: list(runs.rglob("last.ckpt")), ["running"]),
        (lambda: ": timing at" in log.read_text(), ["completed"]),
        (lambda: len(list(runs.glob("trained/*/record.json"))) == 2, ["completed", "running"]),
    ):
        process = begin(grid, tmp_path, log)
        wait_until(moment, process)
        process.kill()
        assert sorted(record.status for record in trained_records(runs)) == statuses
    assert "2 of 2 variants are complete" in finish(grid, tmp_path)
    finish([*grid, "stages=[train,evaluate]", f"runs_dir={tmp_path / 'whole'}"], tmp_path)
    assert_equal(whole_records(runs, 2), whole_records(tmp_path / "whole", 2, are_timed=False))
    assert "2 variants: 2 done" in status(tmp_path)


@pytest.mark.slow
def test_a_sweep_killed_at_20_random_moments_goes_on(quick: list[str], tmp_path: Path) -> None:
    grid = [*(one for one in quick if not one.startswith("runs_dir")), *FOUR, "trainer.max_steps=1000"]
    whole, killed, kills, moments = tmp_path / "whole", tmp_path / "killed", 20, random.Random(2)
    whole.mkdir()
    killed.mkdir()
    clock = time.monotonic()
    process = begin(grid, whole)
    wait_until((whole / "runs" / "sweeps").exists, process)
    start_s = time.monotonic() - clock
    assert process.wait() == 0, process.said()
    work_s = time.monotonic() - clock - start_s
    for _ in range(kills):
        process = begin(grid, killed)
        time.sleep(moments.uniform(0.5 * start_s, start_s + 1.5 * work_s / kills))
        assert process.poll() is None, process.said()
        process.kill()
    assert "4 of 4 variants are complete" in finish(grid, killed)
    assert_equal(whole_records(killed / "runs", 4), whole_records(whole / "runs", 4))
    assert "4 variants: 4 done" in status(killed)


@pytest.mark.parametrize(("number", "exit_status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_polite_stop_saves_the_step_it_is_at(quick: list[str], tmp_path: Path, number: int, exit_status: int) -> None:
    grid = [*quick, *TWO, "trainer.max_steps=100000", "stages=[train]"]
    process = begin(grid, tmp_path)
    wait_until(lambda: list(tmp_path.rglob("last.ckpt")), process)
    assert f"process {process.pid}, since" in status(tmp_path)
    process.send_signal(number)
    assert process.wait(60) == exit_status, process.said()
    said = process.said()
    assert "stopping after this step" in said
    assert "stopped; the same command continues from here" in said
    assert "Traceback" not in said
    (checkpoint,) = tmp_path.rglob("last.ckpt")
    assert torch.load(checkpoint, weights_only=True)["global_step"] > 1, "saved again at the stop"
    assert "2 variants: 1 interrupted, 1 missing" in status(tmp_path)


@pytest.mark.parametrize("stages", ["[train,evaluate]", pytest.param("[train,evaluate,time]", marks=pytest.mark.slow)])
def test_two_sweeps_at_once_share_the_work(quick: list[str], tmp_path: Path, stages: str) -> None:
    grid = [*quick, *FOUR, "trainer.max_steps=150", f"stages={stages}"]
    both = [begin(grid, tmp_path) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    logs = [process.said() for process in both]
    assert all("4 of 4 variants are complete" in log for log in logs)
    whole_records(tmp_path / "runs", 4, are_timed="time" in stages)
    # Each was trained by one of them, and each of them trained some.
    trained = [log.count("completed (did train") for log in logs]
    assert sum(trained) == 4, logs
    assert min(trained) > 0, logs


def test_code_that_changed_since_a_sweep_began_is_noticed(quick: list[str], tmp_path: Path) -> None:
    grid = [*quick, "stages=[train]"]
    assert "since this sweep" not in finish(grid, tmp_path)
    (manifest,) = (tmp_path / "runs" / "sweeps").iterdir()
    manifest.write_text(manifest.read_text().replace(code_digest(), "0123456789ab"))
    said = finish(grid, tmp_path)
    assert f"its code has changed (0123456789ab then, {code_digest()} now)" in said


# --- a full disk ------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here ({mounted.stderr.strip()}): root may")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path, free_kib: int) -> Path:
    """A file that leaves so much."""
    filler, there = disk / "filler", os.statvfs(disk)
    filler.write_bytes(b"x" * max(0, there.f_bavail * there.f_frsize - free_kib * 1024))
    return filler


@pytest.mark.parametrize(
    ("free_kib", "which"),
    [(0, "sweeps"), (24, "record.json|last.ckpt|leases|losses.csv"), (120, "last.ckpt|generator.pt|losses.csv")],
)
def test_full_disks_tear_nothing(quick: list[str], tmp_path: Path, small_disk: Path, free_kib: int, which: str) -> None:
    grid = [*quick, "model.channels=16,8", "stages=[train,evaluate]", f"runs_dir={small_disk / 'runs'}"]
    filler = fill(small_disk, free_kib)
    done = run("enhance_sweep", "-m", *grid, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "no space left" in line.lower()
    assert re.search(which, line)
    assert "Traceback" not in done.stderr
    for record in trained_records(small_disk / "runs"):  # what is there can be read
        assert record.status != "failed"
    assert not [path for path in small_disk.rglob("*") if path.name.endswith(".part")]

    filler.unlink()
    assert "2 of 2 variants are complete" in finish(grid, tmp_path)
    assert {record.status for record in trained_records(small_disk / "runs")} == {"completed"}


def test_a_full_cache_is_told_and_packed_again(quick: list[str], tmp_path: Path, small_disk: Path) -> None:
    arguments = ["enhance_sweep", *quick, "stages=[train]"]
    environment = {"ENHANCE_SWEEP_CACHE": f"{small_disk}/cache"}
    filler = fill(small_disk, 100)
    done = run(*arguments, cwd=tmp_path, **environment)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "space" in done.stderr.splitlines()[-1]
    filler.unlink()
    done = run(*arguments, cwd=tmp_path, **environment)
    assert done.returncode == 0, done.stderr
