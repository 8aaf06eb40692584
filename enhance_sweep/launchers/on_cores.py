"""Jobs beside each other on this machine: joblib hands them out, each runs in a fresh process.

A process of its own, because a job that is killed for its memory must not take others with it, as it would in a shared
pool, and because memory that one variant leaves behind would be counted against the next.
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
    """Run `n_jobs` at a time, a new one whenever one has ended; yields them as they end.

    A job whose process is lost is run again, `max_retries` times, in a new one.
    """
    pool = _Processes()
    # Threads, because all they do is wait for their job's process.
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
    """The processes that run now, so that an interruption reaches each once."""

    def __init__(self) -> None:
        self.interrupted = False
        self._running: set[SpawnProcess] = set()
        self._lock = threading.Lock()

    def run(self, job: Job) -> tuple[JobReturn | None, str]:
        """A job's return, or None and how its process ended."""
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
        """As Ctrl-C does: each saves and ends; none begins any more."""
        with self._lock:
            self.interrupted = True
            running = list(self._running)
        for process in running:
            if process.pid is not None and process.is_alive():
                os.kill(process.pid, signal.SIGINT)
        for process in running:
            process.join()


def _work(pickled: bytes, sender: Connection) -> None:
    """What the fresh process does."""
    # Ctrl-C reaches it through its parent, once: a second one would cut short what the first has it save.
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
