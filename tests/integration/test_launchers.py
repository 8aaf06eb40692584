"""Sweeps beside each other on this machine, on a Ray cluster of two nodes, and through submitit."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from enhance_sweep.records import load_records
from enhance_sweep.records.schema import TrainedRecord
from enhance_sweep.records.store import timed_records, trained_records
from enhance_sweep.system.environment import ALLOCATORS, describe_environment, usable_cores
from tests.commands import Command, run
from tests.integration.figures import figures

TASK = Path(__file__).with_name("launcher_task.py")
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="the extra ray is not installed")
needs_submitit = pytest.mark.skipif(find_spec("submitit") is None, reason="the extra slurm is not installed")


@pytest.fixture(autouse=True)
def without_ray_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would be left in the user's home."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[str]:
    """The address of a cluster of two nodes with a core each."""
    # Ray's sockets are below it, and a socket's path may have 107 characters: pytest's own folders are too long.
    folder = Path(tempfile.mkdtemp(prefix="r"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environment = os.environ | {"RAY_AUTH_MODE": "disabled", "RAY_task_oom_retries": "0"}
    start = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1", "--num-gpus=0"]
    head = ["--head", f"--port={address.split(':')[1]}", "--include-dashboard=false", f"--temp-dir={folder}"]
    nodes = []
    try:
        for index, options in enumerate([head, [f"--address={address}"]]):
            command, log = [*start, "--node-ip-address=127.0.0.1", *options], folder / f"node{index}.log"
            with log.open("w") as said:
                nodes.append(subprocess.Popen(command, env=environment, stdout=said, stderr=said, process_group=0))
            while "Ray runtime started" not in log.read_text():
                assert nodes[-1].poll() is None, log.read_text()
                time.sleep(0.1)
        yield address
    finally:
        for node in reversed(nodes):
            node.terminate()
            node.wait()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def launcher(request: pytest.FixtureRequest) -> list[str]:
    """Overrides for two jobs at a time."""
    if request.param == "ray":
        return ["hydra/launcher=ray", f"hydra.launcher.address={request.getfixturevalue('ray_cluster')}"]
    return [f"hydra/launcher={request.param}", "hydra.launcher.n_jobs=2"]


ALL = ["joblib", pytest.param("ray", marks=needs_ray), pytest.param("submitit_local", marks=needs_submitit)]


@pytest.mark.parametrize("launcher", ALL, indirect=True)
def test_no_job_waits_for_a_slow_one_and_no_job_takes_others_with_it(
    launcher: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = ["hydra/sweeper=basic", *launcher, "runs_dir=runs", "stages=[evaluate]", "seed=0,1,2,3,4"]
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    done = run(str(TASK), "-m", *overrides, cwd=tmp_path, **ALLOCATORS["tuned"])
    said = done.stderr.splitlines()
    ends = [line.split("ended: ")[1] for line in said if " of 5 jobs have ended: " in line]
    assert len(ends) == 5, done.stderr
    # The first ends only when all others have, or it says that they have not.
    assert set(ends) >= {*(f"seed={seed}: number {seed} completed" for seed in (0, 1, 4)), "seed=2: a bug"}
    host = describe_environment()["host"]
    assert f"seed=3: error: no such photograph (on {host})" in ends

    threads = 1 if "hydra/launcher=ray" in launcher else max(1, usable_cores() // 2)
    processes = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "ends").iterdir()}
    assert len({process["pid"] for process in processes.values()}) == 5  # each a fresh one
    for process in processes.values():
        assert process["environment"].items() >= ALLOCATORS["tuned"].items()
        assert process["environment"]["OMP_NUM_THREADS"] == str(threads)
        assert process["environment"]["OMP_WAIT_POLICY"] == "passive"
        assert not process["torch"]
    killed = (tmp_path / "runs" / "logs" / "001-seed=1.log").read_text()
    assert killed.count(f"{host}, process ") == 2
    assert {path.name for path in tmp_path.iterdir()} == {"ends", "killed", "runs"}


@pytest.mark.parametrize("launcher", ["joblib"], indirect=True)
def test_a_training_in_a_process_of_its_own(launcher: list[str], quick: list[str], tmp_path: Path) -> None:
    """A job imports torch, which takes most of this test; `test_a_sweep_on_each_launcher` is the same with each."""
    quickest = ["stages=[train,evaluate]", "trainer.max_steps=1", "trainer.evaluate_at=[]"]
    done = run("enhance_sweep", "-m", *quick, *launcher, *quickest, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 of 1 variants are complete." in done.stderr
    (record,) = trained_records(tmp_path / "runs")
    assert record.scores.images > 0
    assert record.environment.host == describe_environment()["host"]
    assert record.environment.allocator == "tuned"
    assert record.environment.wait_policy == "passive"
    assert {path.name for path in tmp_path.iterdir()} == {"runs"}


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ALL, indirect=True)
def test_a_sweep_on_each_launcher(launcher: list[str], quick: list[str], tmp_path: Path) -> None:
    quickest = ["seed=0,1", "trainer.max_steps=2", "trainer.evaluate_at=[]"]
    done = run("enhance_sweep", "-m", *quick, *launcher, *quickest, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 variants are complete." in done.stderr
    frame = load_records(tmp_path / "runs")
    assert len(frame) == 2
    assert frame[["psnr_db", "ms_ssim", "latency_ms_median"]].notna().all(axis=None)
    host = describe_environment()["host"]
    for record in [*trained_records(tmp_path / "runs"), *timed_records(tmp_path / "runs")]:
        assert record.environment.host == host
        assert record.environment.allocator == "tuned"
        assert record.environment.wait_policy == ("passive" if isinstance(record, TrainedRecord) else "default")
    assert {path.name for path in tmp_path.iterdir()} == {"runs"}


@needs_ray
@pytest.mark.slow
def test_a_training_whose_ray_worker_is_killed_goes_on(ray_cluster: str, quick: list[str], tmp_path: Path) -> None:
    options = ["hydra/launcher=ray", f"hydra.launcher.address={ray_cluster}", "stages=[train,evaluate]", "seed=0,1"]
    long = [*quick, "trainer.max_steps=400", "trainer.schedule=constant", "trainer.evaluate_at=[]"]
    process = Command("enhance_sweep", "-m", *long, *options, cwd=tmp_path)
    logs = tmp_path / "runs" / "logs"
    while not list((tmp_path / "runs").rglob("*-s0-*/last.ckpt")) and process.poll() is None:
        time.sleep(0.01)
    started = (logs / "000-seed=0.log").read_text().splitlines()[0]
    os.kill(int(started.split("process ")[1].split(":")[0]), signal.SIGKILL)
    assert process.wait() == 0, process.said()
    assert "2 of 2 variants are complete." in process.said()
    assert (logs / "000-seed=0.log").read_text().count(", process ") == 2

    again = [*long, "seed=0,1", "stages=[train,evaluate]", f"runs_dir={tmp_path / 'whole'}"]
    whole = run("enhance_sweep", "-m", *again, cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    ended, uninterrupted = (
        {record.key: figures(record.scores) for record in trained_records(tmp_path / name)}
        for name in ("runs", "whole")
    )
    assert ended.keys() == uninterrupted.keys()
    for key, scores in ended.items():
        assert scores == pytest.approx(uninterrupted[key], abs=1e-4)


def test_ctrl_c_reaches_every_job_once_and_none_is_left(tmp_path: Path) -> None:
    arguments = ["-m", "hydra/sweeper=basic", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    process = Command(str(TASK), *arguments, "runs_dir=runs", "stages=[evaluate]", "seed=0,5,6", cwd=tmp_path)
    while len(list(tmp_path.glob("ends/*"))) < 2:  # 0 waits for four
        assert process.poll() is None
        time.sleep(0.05)
    started = (tmp_path / "runs" / "logs" / "000-seed=0.log").read_text()
    process.send_signal(signal.SIGINT)
    assert process.wait() != 0
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.split("process ")[1].split(":")[0]), 0)


@pytest.mark.parametrize("override", ["hydra/launcher=ray", "hydra/launcher=submitit_slurm"])
def test_a_launcher_that_is_not_installed_says_how_to_get_it(tmp_path: Path, override: str) -> None:
    module, extra = {"ray": ("ray", "ray"), "submitit_slurm": ("submitit", "slurm")}[override.split("=")[1]]
    (tmp_path / "without.py").write_text(
        "import importlib.util, runpy, sys\n"
        "found = importlib.util.find_spec\n"
        f"importlib.util.find_spec = lambda name, *rest: None if name == {module!r} else found(name, *rest)\n"
        f"sys.argv = [{str(TASK)!r}, '-m', 'hydra/sweeper=basic', 'runs_dir=runs', {override!r}]\n"
        f"runpy.run_path({str(TASK)!r}, run_name='__main__')\n"
    )
    command = [sys.executable, str(tmp_path / "without.py")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {override} needs {module}, which is not installed: pip install ")
    assert f"'enhance-sweep[{extra}]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
