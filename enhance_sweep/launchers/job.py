"""A job on its way to the process that runs it, and its result.

Nothing here imports torch: a job sets the number of threads before it unpacks its payload.
"""

import contextlib
import os
import platform
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cloudpickle
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from enhance_sweep.system import waiting
from enhance_sweep.system.clock import now
from enhance_sweep.system.environment import ALLOCATORS

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_LONGEST_NAME = 120

#: Environment variables that a job sets in its process; None unsets one.
Environment = Mapping[str, str | None]


class JobError(RuntimeError):
    """A job ended without a result: it gave up, or its process was lost."""


class LauncherError(RuntimeError):
    """A launcher cannot start: it cannot reach its cluster, or a setting is wrong."""


@dataclass(frozen=True)
class Job:
    """One variant to run; calling the job runs it.

    Attributes:
        number: its place in the sweep.
        name: the overrides that distinguish it from the others.
        config: composed where the sweep was started, and not again where the job runs.
        payload: the task function and Hydra's context, pickled.
        folder: where the sweep was started; relative paths start here.
        log: the file for its output.
        environment: set before the payload is unpacked, and so before torch is imported.
    """

    number: int
    name: str
    config: DictConfig
    payload: bytes
    folder: Path
    log: Path
    environment: Environment = field(default_factory=dict)

    def __call__(self) -> JobReturn:
        """Run the job in this process, which must run nothing else.

        Raises:
            JobError: this machine does not have the sweep's folder.
        """
        _set_environment(self.environment)
        try:
            os.chdir(self.folder)
        except OSError as error:
            raise JobError(
                f"{platform.node()} does not have {self.folder} ({error.strerror}): "
                "start the sweep in a folder that all machines share"
            ) from error
        with _output_to(self.log):
            when = now()
            print(f"{when} {platform.node()}, process {os.getpid()}: {self.name}", file=sys.stderr, flush=True)
            setup_globals()
            task, context = cloudpickle.loads(self.payload)
            return run_job(
                task_function=_without_exit(task),
                config=self.config,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
                hydra_context=context,
            )

    def checkpoint(self) -> Any:
        """Return what submitit queues again when the time is up: the same job, which resumes from its checkpoint."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def make_jobs(
    context: HydraContext,
    task: TaskFunction,
    config: DictConfig,
    overrides: Sequence[Sequence[str]],
    first: int,
    logs: Path,
) -> list[Job]:
    """A job for each list of overrides, numbered from `first`, with its log in `logs`."""
    setup_globals()
    payload = cloudpickle.dumps((task, context))
    jobs = []
    for number, own in enumerate(overrides, first):
        composed = context.config_loader.load_sweep_config(config, list(own))
        with open_dict(composed):
            composed.hydra.job.id, composed.hydra.job.num = str(number), number
        name = _name(own, overrides)
        file_name = re.sub(r"[^-\w.=,+]", "_", name)
        log = (logs / f"{number:03d}-{file_name}.log").absolute()
        jobs.append(Job(number, name, composed, payload, Path.cwd(), log))
    return jobs


def lost(job: Job, reason: str) -> JobReturn:
    """A failed result, for a job that returned none."""
    return JobReturn(
        overrides=list(job.config.hydra.overrides.task),
        cfg=job.config,
        status=JobStatus.FAILED,
        _return_value=JobError(f"{reason}; see {job.log}"),
    )


def with_threads(job: Job, threads: int) -> Job:
    """The job with so many threads, or as many as the sweep's own environment says."""
    return with_environment(job, {name: os.environ.get(name, str(threads)) for name in _THREAD_VARIABLES})


def with_environment(job: Job, environment: Environment) -> Job:
    """The job with more environment variables."""
    return replace(job, environment={**job.environment, **environment})


def travelling_environment() -> dict[str, str]:
    """The environment variables that a process on another machine needs.

    They are the allocator's, those for how threads wait, this harness's own, and the path to code that is not
    installed, such as a checkout or a user's own topology.
    """
    known = {name for settings in ALLOCATORS.values() for name in settings} | set(waiting.VARIABLES)
    own = {name: value for name, value in os.environ.items() if name in known or name.startswith("ENHANCE_SWEEP_")}
    installed = (sys.prefix, sys.base_prefix)
    code = [path or str(Path.cwd()) for path in sys.path if not path.startswith(installed)]
    return own | {"PYTHONPATH": os.pathsep.join(dict.fromkeys(code))}


def _name(own: Sequence[str], every: Sequence[Sequence[str]]) -> str:
    """The overrides that not all jobs share; all of them if the jobs are alike."""
    distinct = [override for override in own if any(override not in other for other in every)]
    return ",".join(distinct or own)[:_LONGEST_NAME] or "as configured"


def _set_environment(environment: Environment) -> None:
    for name, value in environment.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _without_exit(task: TaskFunction) -> Callable[[DictConfig], Any]:
    """The task, with `sys.exit("message")` turned into a `JobError`: a user's mistake ends the job, not its worker.

    An exit without a message comes from a signal, such as submitit's before it queues the job again.
    """

    def run(config: DictConfig) -> Any:
        try:
            return task(config)
        except SystemExit as end:
            if not isinstance(end.code, str):
                raise
            raise JobError(f"{end.code} (on {platform.node()})") from end

    return run


@contextlib.contextmanager
def _output_to(log: Path) -> Iterator[None]:
    """Append the output of this process and its children to a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    streams = (sys.stdout, sys.stderr)
    kept = [os.dup(number) for number in (1, 2)]
    try:
        with log.open("ab") as file:
            for stream, number in zip(streams, (1, 2), strict=True):
                stream.flush()
                os.dup2(file.fileno(), number)
        yield
    finally:
        for stream, number, before in zip(streams, (1, 2), kept, strict=True):
            stream.flush()
            os.dup2(before, number)
            os.close(before)
