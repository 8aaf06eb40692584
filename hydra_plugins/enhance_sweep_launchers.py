"""Hydra looks for launchers here; ours are in `enhance_sweep.launchers`, imported when used."""

import sys
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

if TYPE_CHECKING:
    from enhance_sweep.launchers.job import Job


class _JobLauncher(Launcher):
    """Makes jobs, hands them out, and reports as they end.

    Args:
        max_retries: how often to run a job again whose process, worker or node was lost.
        settings: the other settings in conf/hydra/launcher/.
    """

    #: An optional module that the launcher needs, and the extra that installs it.
    needs: tuple[str, str] | None = None

    def __init__(self, max_retries: int, **settings: Any) -> None:
        self.max_retries = max_retries
        self.settings: dict[str, Any] = {
            name: OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
            for name, value in settings.items()
        }

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what to run; exit with a message if a module is missing."""
        if self.needs and find_spec(self.needs[0]) is None:
            module, extra = self.needs
            sys.exit(
                f"error: hydra/launcher={config.hydra.runtime.choices['hydra/launcher']} needs {module}, which is not "
                f"installed: pip install 'enhance-sweep[{extra}]', or in a checkout "
                f"pip install --constraint constraints.txt '.[{extra}]'"
            )
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run all jobs; returns Hydra's job returns in the order of the overrides, however the jobs ended."""
        from enhance_sweep.launchers.job import LauncherError, make_jobs

        jobs = make_jobs(self.hydra_context, self.task_function, self.config, job_overrides, initial_job_idx, self.logs)
        returns: dict[int, JobReturn] = {}
        _tell(f"{len(jobs)} jobs; their output is in {self.logs}")
        try:
            for job, result in self.hand_out(jobs):
                returns[job.number] = result
                _tell(f"{len(returns)} of {len(jobs)} jobs have ended: {job.name}{_outcome(result)}")
        except LauncherError as error:
            sys.exit(f"error: {error}")
        return [returns[job.number] for job in jobs]

    @property
    def logs(self) -> Path:
        """The folder of the jobs' logs."""
        return Path(str(self.config.hydra.sweep.dir)) / "logs"

    @abstractmethod
    def hand_out(self, jobs: "Sequence[Job]") -> "Iterator[tuple[Job, JobReturn]]":
        """Run jobs, and yield them as they end."""


class JoblibLauncher(_JobLauncher):
    """Runs several variants at a time on this machine (conf/hydra/launcher/joblib.yaml)."""

    def hand_out(self, jobs: "Sequence[Job]") -> "Iterator[tuple[Job, JobReturn]]":
        """Run jobs, and yield them as they end."""
        from enhance_sweep.launchers import on_cores, share

        jobs, n_jobs = share.among_cores(jobs, self.settings["n_jobs"])
        return on_cores.hand_out(jobs, n_jobs, self.max_retries)


class RayLauncher(_JobLauncher):
    """Runs on the machines of a Ray cluster (conf/hydra/launcher/ray.yaml)."""

    needs = ("ray", "ray")

    def hand_out(self, jobs: "Sequence[Job]") -> "Iterator[tuple[Job, JobReturn]]":
        """Run jobs, and yield them as they end."""
        from enhance_sweep.launchers import on_ray

        return on_ray.hand_out(jobs, max_retries=self.max_retries, **self.settings)


class SlurmLauncher(_JobLauncher):
    """Runs through Slurm's queue (conf/hydra/launcher/submitit_slurm.yaml)."""

    needs = ("submitit", "slurm")

    def hand_out(self, jobs: "Sequence[Job]") -> "Iterator[tuple[Job, JobReturn]]":
        """Run jobs, and yield them as they end."""
        from enhance_sweep.launchers import job, on_submitit

        queue = on_submitit.executor("slurm", self.logs / "submitit", self.settings)
        jobs = [job.with_threads(one, self.settings["cpus_per_task"]) for one in jobs]
        return on_submitit.hand_out(jobs, queue, None, self.max_retries)


class LocalLauncher(_JobLauncher):
    """Like Slurm's, but runs processes on this machine (conf/hydra/launcher/submitit_local.yaml)."""

    needs = ("submitit", "slurm")

    def hand_out(self, jobs: "Sequence[Job]") -> "Iterator[tuple[Job, JobReturn]]":
        """Run jobs, and yield them as they end."""
        from enhance_sweep.launchers import job, on_submitit, share

        settings = dict(self.settings)
        jobs, n_jobs = share.among_cores(jobs, settings.pop("n_jobs"))
        jobs = [job.with_environment(one, on_submitit.SAME_GPUS) for one in jobs]
        queue = on_submitit.executor("local", self.logs / "submitit", settings)
        return on_submitit.hand_out(jobs, queue, n_jobs, self.max_retries)


def _outcome(result: JobReturn) -> str:
    """How a job ended, in words."""
    outcome = result._return_value  # `return_value` would raise a failed job's error, and print all its overrides
    if isinstance(outcome, Exception):
        return f": {outcome}"
    if not isinstance(outcome, dict):
        return ""
    reason = f" ({outcome['reason']})" if outcome.get("reason") else ""
    return f": {outcome.get('name', '')} {outcome.get('status', '')}{reason}"


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
