"""`python -m enhance_sweep` as a person types it, in processes of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from enhance_sweep.records import load_records
from enhance_sweep.records.store import timed_records, trained_records
from tests.commands import run
from tests.integration.conftest import NOT_FOR_A_SEARCH

TRAIN = "stages=[train,evaluate]"


def start(*arguments: str, cwd: Path, fails: bool = False) -> "subprocess.CompletedProcess[str]":
    """It says in a line why, if it fails."""
    done = run("enhance_sweep", *arguments, cwd=cwd)
    assert done.returncode == fails, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_a_sweep_trains_and_times_and_is_skipped_when_all_is_there(quick: list[str], tmp_path: Path) -> None:
    """The first time with an interpreter of its own, as people start it; so it is here that its environment counts."""
    grid = ["-m", *quick, "model.channels=2,3"]
    command = [sys.executable, "-m", "enhance_sweep", *grid, TRAIN]
    first = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert first.returncode == 0, first.stderr
    assert "2 variants: 2 to train for 6 steps" in first.stderr
    assert "--- 2 of 2: plain-k3-c3-b1 (about " in first.stderr
    assert "2 of 2 variants are complete." in first.stderr
    assert "2 variants: 0 to train for 6 steps, 2 to time" in start(*grid, cwd=tmp_path).stderr
    frame = load_records(tmp_path / "runs")
    assert len(frame) == 2
    assert frame["status"].eq("completed").all()
    assert frame[["psnr_db", "ms_ssim", "latency_ms_median", "peak_rss_mib"]].notna().all(axis=None)
    trained = [one.environment for one in trained_records(tmp_path / "runs")]
    assert {(one.allocator, one.wait_policy) for one in trained} == {("tuned", "passive")}
    assert {one.environment.wait_policy for one in timed_records(tmp_path / "runs")} == {"default"}

    def files() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*") if path.is_file()}

    before = files()
    assert "2 variants: 0 to train for 6 steps, 0 to time" in start(*grid, cwd=tmp_path).stderr
    after = files()
    rewritten = {tmp_path / "runs" / "multirun.yaml", *(tmp_path / "runs" / "sweeps").iterdir()}
    assert {path for path in before if before[path] != after[path]} <= rewritten
    assert set(after) == set(before)

    planned = start(*grid, "model.channels=2,3,4", "dry_run=true", cwd=tmp_path).stdout
    rows = [line for line in planned.splitlines() if "plain-" in line]
    assert [(line.split()[0], "measured" in line, "nothing" in line) for line in rows] == [
        (f"plain-k3-c{channels}-b1", channels < 4, channels < 4) for channels in (2, 3, 4)
    ]


def test_a_named_sweep_sweeps_without_the_flag_and_its_rows_stay_true(quick: list[str], tmp_path: Path) -> None:
    without_model = [override for override in quick if not override.startswith("model.")]
    falsified = start("sweeps=table1", *without_model, "model.channels=8", cwd=tmp_path, fails=True)
    assert "error: model.channels=8 would falsify the rows of this named sweep" in falsified.stderr
    assert not (tmp_path / "runs" / "trained").exists()

    quickest = ["stages=[train]", "trainer.max_steps=1", "trainer.evaluate_at=[]"]
    sweep = start("sweeps=table2", *without_model, *quickest, cwd=tmp_path)
    assert "7 of 7 variants are complete." in sweep.stderr
    topologies = {record.architecture["topology"] for record in trained_records(tmp_path / "runs")}
    assert topologies == {"strided"}


def test_one_bad_value_of_a_grid_costs_nothing(quick: list[str], tmp_path: Path) -> None:
    done = start("-m", *quick, "model.channels=2,wide", cwd=tmp_path, fails=True)
    assert done.stderr.strip().splitlines()[-1].endswith("model.channels: expected int, got 'wide'")
    assert not (tmp_path / "runs" / "trained").exists()


def test_one_failing_variant_does_not_stop_the_others(quick: list[str], tmp_path: Path) -> None:
    wild = ["trainer.learning_rate=1e30,1e-3", "trainer.schedule=constant", TRAIN]
    done = start("-m", *quick, *wild, cwd=tmp_path, fails=True)
    assert "1 of 2 variants are complete." in done.stderr
    assert "diverged: the " in done.stderr
    assert "retry_failed=true runs them again" in done.stderr
    statuses = sorted(record.status for record in trained_records(tmp_path / "runs"))
    assert statuses == ["completed", "failed"]


def test_repeated_variants_are_run_once(quick: list[str], tmp_path: Path) -> None:
    done = start("-m", *quick, "model.channels=2,2", "stages=[train]", cwd=tmp_path)
    assert "1 variants: 1 to train" in done.stderr


def test_a_sweep_over_steps_with_a_constant_schedule_trains_the_longest(quick: list[str], tmp_path: Path) -> None:
    done = start("-m", *quick, "trainer.schedule=constant", "trainer.max_steps=3,6,4", "stages=[train]", cwd=tmp_path)
    assert "under a constant schedule 3 steps are the beginning of 6" in done.stderr
    (record,) = trained_records(tmp_path / "runs")
    assert record.steps == 6


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.root=/nowhere", "/nowhere"),
        ("model.channels=0", "model: channels: expected at least 1, got 0"),
        ("+model.colour=red", "model.colour: model=plain has no such setting"),
        ("trainer.accelerator=abacus", "trainer.accelerator: expected one of auto, cpu, gpu, cuda, mps, got 'abacus'"),
    ],
)
def test_a_users_mistake_is_one_line(quick: list[str], tmp_path: Path, override: str, message: str) -> None:
    done = start(*quick, override, cwd=tmp_path, fails=True)
    assert done.stderr.startswith("error: ")
    assert message in done.stderr


def test_a_damaged_record_of_a_sweep_is_one_line_and_costs_nothing(quick: list[str], tmp_path: Path) -> None:
    grid = ["-m", *quick, "model.channels=2,3", TRAIN, "trainer.max_steps=2", "trainer.evaluate_at=[]"]
    start(*grid, cwd=tmp_path)
    damaged, whole = sorted((tmp_path / "runs" / "trained").glob("*/record.json"))
    damaged.write_text('{"schema": 1, "ki')
    before = whole.read_bytes()
    for again in ([], ["--dry-run"]):
        (line,) = start(*grid, *again, cwd=tmp_path, fails=True).stderr.splitlines()
        assert line.startswith(f"error: {damaged} is not a readable record")
        assert "delete it and run its variant again" in line
        assert whole.read_bytes() == before
    damaged.unlink()
    assert "2 of 2 variants are complete" in start(*grid, cwd=tmp_path).stderr


def test_a_folder_that_cannot_hold_runs_is_one_line(quick: list[str], tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    assert "cannot hold records" in start("-m", *quick, TRAIN, cwd=tmp_path, fails=True).stderr


def test_ctrl_c_while_it_starts_ends_cleanly(tmp_path: Path) -> None:
    stopped = (
        "import sys; from enhance_sweep import __main__ as start\n"
        "def imports(): raise KeyboardInterrupt\n"
        "start._run = imports; start.prepare_process = lambda: None; start.main()"
    )
    done = subprocess.run([sys.executable, "-c", stopped], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 130
    assert done.stderr == "\nstopped; the same command continues from here\n"


def test_a_dry_run_shows_every_variant_and_computes_nothing(quick: list[str], tmp_path: Path) -> None:
    grid = ["-m", *quick, "model.channels=2,3", "stages=[train,evaluate,time]"]
    planned = start(*grid, "--dry-run", cwd=tmp_path).stdout
    rows = [line for line in planned.splitlines() if line.startswith("plain-")]
    assert [line.split()[0] for line in rows] == ["plain-k3-c2-b1", "plain-k3-c3-b1"]
    assert all("first guess" in line for line in rows)
    assert "2 variants: 2 to train for 6 steps, 2 to time" in planned
    assert not list((tmp_path / "runs").rglob("*.json"))

    searched = [one for one in quick if not one.startswith(NOT_FOR_A_SEARCH)]
    search = start("-m", "sweeps=search", *searched, "--dry-run", cwd=tmp_path)
    assert "A search of 100 trials" in search.stderr
    assert not (tmp_path / "runs" / "search.journal").exists()
