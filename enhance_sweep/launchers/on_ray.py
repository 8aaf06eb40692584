"""Jobs on a Ray cluster: each is a task in a fresh worker process, wherever there is room."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import ray
from hydra.core.utils import JobReturn
from ray.exceptions import RayError

from enhance_sweep.launchers.job import Job, LauncherError, lost, travelling_environment
from enhance_sweep.launchers.share import only_times, takes_gpu

_SECONDS_TO_SAVE = 60.0


def hand_out(
    jobs: Sequence[Job], address: str | None, num_cpus: float, num_gpus: float | None, max_retries: int
) -> Iterator[tuple[Job, JobReturn]]:
    """Run jobs wherever Ray finds room, and yield them as they end.

    Args:
        jobs: what to run.
        address: of the cluster; None takes RAY_ADDRESS, else this machine's cluster, else starts one.
        num_cpus: cores, and so threads, of each job.
        num_gpus: GPUs for a job; None: one if it trains and the cluster has any.
        max_retries: how often to rerun a job whose worker was lost.
    """
    _connect(address)
    waiting = {_start(job, num_cpus, num_gpus, max_retries): job for job in jobs}
    try:
        while waiting:
            (ended,), _ = ray.wait(list(waiting), num_returns=1)
            job = waiting.pop(ended)
            try:
                result = ray.get(ended)
            except RayError as error:
                result = lost(job, _last_line(error))
            yield job, result
    finally:
        for reference in waiting:
            ray.cancel(reference)  # like Ctrl-C: each saves and ends
        if waiting:
            ray.wait(list(waiting), num_returns=len(waiting), timeout=_SECONDS_TO_SAVE)


def _connect(address: str | None) -> None:
    if ray.is_initialized():  # by an earlier batch of this sweep
        return
    try:
        ray.init(
            address=address,
            log_to_driver=False,  # each job has a log of its own
            logging_level=logging.ERROR,
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise LauncherError(f"hydra.launcher.address={address}: no Ray cluster answers there ({error})") from error


def _start(job: Job, num_cpus: float, num_gpus: float | None, max_retries: int) -> Any:
    resources = ray.cluster_resources()
    if num_gpus is None:
        num_gpus = 1 if takes_gpu(job.config) and resources.get("GPU") else 0
    if only_times(job.config):
        # One at a time on each machine: another job would disturb the timing even by starting.
        num_cpus = max(num_cpus, min(node["Resources"].get("CPU", 1) for node in ray.nodes() if node["Alive"]))
    # A fresh process for each job: memory that one variant leaves behind does not count against the next.
    remote = ray.remote(max_calls=1)(_run).options(
        name=job.name,
        num_cpus=num_cpus,
        num_gpus=num_gpus,
        max_retries=max_retries,
        runtime_env={"env_vars": travelling_environment()},
    )
    return remote.remote(job)


def _run(job: Job) -> JobReturn:
    return job()


def _last_line(error: RayError) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
