"""Jobs through submitit: in Slurm's queue, or as processes on this machine to try it out."""

import os
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import submitit
from hydra.core.utils import JobReturn
from submitit.core.utils import FailedJobError

from enhance_sweep.launchers.job import Environment, Job, LauncherError, lost, travelling_environment

#: Settings that submitit takes for every kind of queue; all others are Slurm's own.
_COMMON = ("name", "timeout_min", "mem_gb", "nodes", "cpus_per_task", "gpus_per_node", "tasks_per_node")
_LOOK_EVERY_S = 0.5
#: How long the result of an ended job may take to appear in a network folder.
_SLOW_FOLDER_S = 15.0

#: Submitit hides GPUs from local jobs; this makes visible the GPUs that this process sees.
SAME_GPUS: Environment = {"CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES")}


def executor(cluster: str, folder: Path, settings: Mapping[str, Any]) -> submitit.AutoExecutor:
    """Submitit's executor with the launcher's settings.

    Args:
        cluster: `slurm` or `local`.
        folder: for submitit's files: scripts, pickled jobs, the queue's own log.
        settings: for submitit's `AutoExecutor.update_parameters`; Slurm's without their prefix.

    Raises:
        LauncherError: a setting does not exist, or this machine has no Slurm.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    timeouts = {f"{cluster}_max_num_timeout": given.pop("max_num_timeout")} if "max_num_timeout" in given else {}
    if cluster == "slurm":
        # Spelled out: a cluster may not pass the environment on.
        exports = [f"export {name}={shlex.quote(value)}" for name, value in travelling_environment().items()]
        given["setup"] = [*exports, *given.get("setup", [])]
    parameters = {name if name in _COMMON else f"{cluster}_{name}": value for name, value in given.items()}
    try:
        made = submitit.AutoExecutor(folder=folder / "%j", cluster=cluster, **timeouts)
        made.update_parameters(**parameters)
    except (ValueError, NameError, RuntimeError) as error:
        raise LauncherError(f"hydra/launcher=submitit_{cluster}: {error}") from error
    return made


def hand_out(
    jobs: Sequence[Job], queue: submitit.AutoExecutor, at_a_time: int | None, max_retries: int
) -> Iterator[tuple[Job, JobReturn]]:
    """Submit jobs, and yield them as they end.

    Args:
        jobs: what to run.
        queue: where to submit them.
        at_a_time: how many may be submitted and unfinished; None: all, and the queue decides.
        max_retries: how often to resubmit a lost job.
    """
    patience_s = 0.0 if queue.cluster == "local" else _SLOW_FOLDER_S
    waiting = list(jobs)
    tries = dict.fromkeys((job.number for job in jobs), 1 + max_retries)
    running: dict[str, tuple[submitit.Job[JobReturn], Job]] = {}
    gone_since: dict[str, float] = {}
    try:
        while waiting or running:
            room = len(waiting) if at_a_time is None else at_a_time - len(running)
            now, waiting = waiting[:room], waiting[room:]
            running |= {one.job_id: (one, job) for one, job in zip(_submit(queue, now), now, strict=True)}
            for one, job in [pair for pair in running.values() if pair[0].done()]:
                if one.paths.result_pickle.exists():
                    del running[one.job_id]
                    yield job, _result(one, job)
                elif time.monotonic() - gone_since.setdefault(one.job_id, time.monotonic()) >= patience_s:
                    del running[one.job_id]
                    tries[job.number] -= 1
                    if tries[job.number]:
                        waiting.append(job)
                    else:
                        yield job, lost(job, f"{queue.cluster} job {one.job_id} was lost ({one.state.lower()})")
            if running:
                time.sleep(_LOOK_EVERY_S)
    finally:
        for one, _ in running.values():
            one.cancel()


def _result(one: "submitit.Job[JobReturn]", job: Job) -> JobReturn:
    try:
        result: JobReturn = one.result()
    except FailedJobError as error:
        return lost(job, str(error).strip().splitlines()[-1])
    return result


def _submit(queue: submitit.AutoExecutor, jobs: Sequence[Job]) -> list[submitit.Job[JobReturn]]:
    """Submit all at once: as a job array, if the queue has those."""
    if not jobs:
        return []
    with queue.batch():
        return [queue.submit(job) for job in jobs]
