"""What a job is told before it starts, how a machine is shared, and what Slurm is asked for."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from enhance_sweep import config
from enhance_sweep.launchers import share
from enhance_sweep.launchers.job import Job, LauncherError, lost, travelling_environment, with_threads
from enhance_sweep.system import locks
from enhance_sweep.system.waiting import as_the_user_set, wait_policy

MakeJobs = Callable[..., list[Job]]


def composed(*overrides: str) -> DictConfig:
    """A configuration with Hydra's own part, as launchers see it."""
    config.register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(config.CONF_DIR), version_base="1.3"):
        return compose("config", overrides=list(overrides), return_hydra_config=True)


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeJobs:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(share, "usable_cores", lambda: 8)

    def make(count: int, *overrides: str) -> list[Job]:
        settings = composed(*overrides)
        return [Job(number, f"seed={number}", settings, b"", tmp_path, tmp_path / "log") for number in range(count)]

    return make


def threads(some: list[Job]) -> set[str | None]:
    return {job.environment.get("OMP_NUM_THREADS") for job in some}


@pytest.mark.parametrize(
    ("count", "asked", "at_a_time", "each"), [(20, None, 8, "1"), (20, 3, 3, "2"), (2, None, 2, "4"), (1, 20, 1, "8")]
)
def test_cores_are_shared_out(jobs: MakeJobs, count: int, asked: int | None, at_a_time: int, each: str) -> None:
    shared, together = share.among_cores(jobs(count, "trainer.accelerator=cpu"), asked)
    assert together == at_a_time
    assert threads(shared) == {each}


def test_as_many_trainings_as_gpus(jobs: MakeJobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "gpu_count", lambda accelerator: 2 if accelerator == "auto" else 0)
    assert share.among_cores(jobs(5), None)[1] == 2
    assert share.among_cores(jobs(5, "stages=[evaluate]"), None)[1] == 5
    assert share.among_cores(jobs(5, "trainer.accelerator=cpu"), None)[1] == 5


def test_timing_is_never_beside_another(jobs: MakeJobs) -> None:
    shared, together = share.among_cores(jobs(5, "stages=[time]"), 4)
    assert together == 1
    assert threads(shared) == {None}


def test_a_users_own_number_of_threads_stays(jobs: MakeJobs, monkeypatch: pytest.MonkeyPatch) -> None:
    (job,) = jobs(1)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert with_threads(job, 8).environment["OMP_NUM_THREADS"] == "3"


def test_no_jobs_at_a_time_is_refused(jobs: MakeJobs) -> None:
    with pytest.raises(LauncherError, match=r"hydra\.launcher\.n_jobs: expected at least 1, or null, got 0"):
        share.among_cores(jobs(2), 0)


def test_a_lost_job_says_why_and_where_to_look(jobs: MakeJobs, tmp_path: Path) -> None:
    (job,) = jobs(1, "seed=4")
    result = lost(job, "its process was ended by SIGKILL")
    with pytest.raises(RuntimeError, match=f"ended by SIGKILL; see {tmp_path / 'log'}"):
        _ = result.return_value
    assert result.overrides == ["seed=4"]


def test_what_travels_to_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1")
    monkeypatch.setenv("ENHANCE_SWEEP_CACHE", "/cache of mine")
    monkeypatch.setenv("SECRET", "word")
    travelling = travelling_environment()
    assert travelling["MALLOC_TRIM_THRESHOLD_"] == "1"
    assert travelling["ENHANCE_SWEEP_CACHE"] == "/cache of mine"
    assert "SECRET" not in travelling
    assert wait_policy(travelling) == "passive"
    assert wait_policy(as_the_user_set(travelling)) == "default", "and there, too, timing waits by default"
    monkeypatch.setenv("GOMP_SPINCOUNT", "1000")
    assert travelling_environment()["GOMP_SPINCOUNT"] == "1000"
    assert str(config.HOME) in travelling["PYTHONPATH"].split(":") or "site-packages" in str(config.HOME)


def test_what_slurm_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slurm = pytest.importorskip("submitit.slurm.slurm", reason="the extra slurm is not installed")
    from enhance_sweep.launchers import on_submitit

    monkeypatch.setattr(slurm.SlurmExecutor, "affinity", classmethod(lambda _: 2))  # as if srun were here
    monkeypatch.setenv("ENHANCE_SWEEP_CACHE", "/cache of mine")
    overrides = ["hydra/launcher=submitit_slurm", "hydra.launcher.partition=long", "hydra.launcher.gpus_per_node=1"]
    settings = OmegaConf.to_container(composed(*overrides).hydra.launcher)
    HydraConfig.instance().cfg = None
    assert isinstance(settings, dict)
    for name in ("_target_", "max_retries"):
        settings.pop(name)
    queue = on_submitit.executor("slurm", tmp_path, {**settings, "setup": ["module load python"]})
    script = queue._executor._make_submission_file_text("run", "id")
    asked = ["partition=long", "gpus-per-node=1", "cpus-per-task=4", "time=240", "job-name=enhance_sweep"]
    lines = {f"#SBATCH --{one}" for one in (*asked, "signal=USR2@120")}
    lines |= {"export ENHANCE_SWEEP_CACHE='/cache of mine'", "module load python"}
    assert lines <= set(script.splitlines())
    assert "account" not in script
    with pytest.raises(LauncherError, match=r"hydra/launcher=submitit_slurm: .*colour"):
        on_submitit.executor("slurm", tmp_path, {**settings, "colour": "red"})
