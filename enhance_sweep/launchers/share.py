"""How many jobs run on one machine at a time."""

from collections.abc import Sequence

from omegaconf import DictConfig

from enhance_sweep.launchers.job import Job, LauncherError, with_threads
from enhance_sweep.system.environment import usable_cores


def takes_gpu(config: DictConfig) -> bool:
    """Whether a job wants a GPU where there is one."""
    return "train" in config.stages and config.trainer.accelerator in ("auto", "gpu", "cuda")


def only_times(config: DictConfig) -> bool:
    """Whether a job does nothing but time: it needs the machine to itself."""
    return not {"train", "evaluate"} & set(config.stages)


def among_cores(jobs: Sequence[Job], asked: int | None) -> tuple[list[Job], int]:
    """The jobs, each with its share of this machine's cores as threads, and how many of them run at a time.

    Args:
        jobs: what is to be run.
        asked: how many at a time; None: one a GPU where the jobs take one, else one a core.

    Raises:
        LauncherError: `asked` is no such number.
    """
    if asked is not None and asked < 1:
        raise LauncherError(f"hydra.launcher.n_jobs: expected at least 1, or null, got {asked}")
    if all(only_times(job.config) for job in jobs):
        return list(jobs), 1
    cores = usable_cores()
    at_a_time = asked or max(_gpus(job.config) for job in jobs) or cores
    at_a_time = min(at_a_time, len(jobs))
    return [with_threads(job, max(1, cores // at_a_time)) for job in jobs], at_a_time


def _gpus(config: DictConfig) -> int:
    """How many of this machine's GPUs a job may choose among."""
    from enhance_sweep.system import locks  # torch, where jobs are only carried, is not needed

    return locks.gpu_count(config.trainer.accelerator) if takes_gpu(config) else 0
