"""How many jobs run on one machine at a time, and with how many threads."""

from collections.abc import Sequence

from omegaconf import DictConfig

from enhance_sweep.launchers.job import Job, LauncherError, with_threads
from enhance_sweep.system.environment import usable_cores


def takes_gpu(config: DictConfig) -> bool:
    """Whether a job uses a GPU if there is one."""
    return "train" in config.stages and config.trainer.accelerator in ("auto", "gpu", "cuda")


def only_times(config: DictConfig) -> bool:
    """Whether a job only times, and so needs the machine to itself."""
    return not {"train", "evaluate"} & set(config.stages)


def among_cores(jobs: Sequence[Job], asked: int | None) -> tuple[list[Job], int]:
    """Give each job its share of this machine's cores as threads.

    Args:
        jobs: what to run.
        asked: how many at a time; None: one for each GPU if the jobs use GPUs, else one for each core.

    Returns:
        The jobs, and how many of them to run at a time.

    Raises:
        LauncherError: `asked` is less than 1.
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
    """How many of this machine's GPUs a job can choose from."""
    from enhance_sweep.system import locks  # imports torch, which a launcher otherwise does without

    return locks.gpu_count(config.trainer.accelerator) if takes_gpu(config) else 0
