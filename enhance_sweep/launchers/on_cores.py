"""Jobs in parallel on this machine: joblib hands them out, and each runs in a fresh process.

In a shared pool, a job killed for its memory would take others with it, and memory that one variant leaves behind would
count against the next.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

import cloudpickle
from hydra.core.utils import JobReturn
from joblib import Parallel, delayed

from enhance_sweep.launchers.job import Job, lost

_START = multiprocessing.get_context("spawn")


def hand_out(jobs: Sequence[Job], n_jobs: int, max_retries: int) -> Iterator[tuple[Job, JobReturn]]:
    """Run `n_jobs` at a time, and yield them as they end.

    A job whose process is lost runs again in a new process, at most `max_retries` times.
    """
    pool = _Processes()
    # Threads suffice: each only waits for its job's process.
    parallel = Parallel(n_jobs, backend="threading", batch_size=1, return_as="generator_unordered")
    try:
        yield from parallel(delayed(_run)(job, max_retries, pool) for job in jobs)
    finally:
        pool.interrupt()


def _run(job: Job, max_retries: int, pool: "_Processes") -> tuple[Job, JobReturn]:
    end = ""
    for _ in range(1 + max_retries):
        result, end = pool.run(job)
        if result is not None:
            return job, result
        if pool.interrupted:
            break
    return job, lost(job, end)


class _Processes:
    """The running processes, so that an interruption reaches each of them once."""

    def __init__(self) -> None:
        self.interrupted = False
        self._running: set[SpawnProcess] = set()
        self._lock = threading.Lock()

    def run(self, job: Job) -> tuple[JobReturn | None, str]:
        """Run a job; returns its result, or None and how its process ended."""
        receiver, sender = _START.Pipe(duplex=False)
        with self._lock:
            if self.interrupted:
                return None, "interrupted before it began"
            process = _START.Process(target=_work, args=(cloudpickle.dumps(job), sender))
            process.start()
            self._running.add(process)
        sender.close()
        try:
            result: JobReturn = cloudpickle.loads(receiver.recv_bytes())
        except EOFError:
            process.join()
            return None, _end(process.exitcode)
        finally:
            with self._lock:
                self._running.discard(process)
        process.join()
        return result, ""

    def interrupt(self) -> None:
        """Interrupt as Ctrl-C does: each process saves and ends, and no other starts."""
        with self._lock:
            self.interrupted = True
            running = list(self._running)
        for process in running:
            if process.pid is not None and process.is_alive():
                os.kill(process.pid, signal.SIGINT)
        for process in running:
            process.join()


def _work(pickled: bytes, sender: Connection) -> None:
    """Run a job in the fresh process."""
    # Only the parent passes Ctrl-C on, once: a second one would interrupt the saving that the first one started.
    with contextlib.suppress(AttributeError, OSError):
        os.setpgrp()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    job: Job = cloudpickle.loads(pickled)
    with contextlib.suppress(KeyboardInterrupt):
        result = cloudpickle.dumps(job())
        sender.send_bytes(result)
    sender.close()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGINT)


def _end(exitcode: int | None) -> str:
    if exitcode is None or exitcode >= 0:
        return f"its process ended without a result (exit status {exitcode})"
    killed = " (out of memory, if nobody killed it)" if exitcode == -signal.SIGKILL else ""
    return f"its process was ended by {signal.Signals(-exitcode).name}{killed}"
