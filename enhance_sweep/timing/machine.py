"""What the protocol uses of the real machine: clock, worker processes, kernel counters. Tests simulate it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import psutil

from enhance_sweep.settings import TimingSettings
from enhance_sweep.timing import conditions, host
from enhance_sweep.timing.process import Worker


class TimedProcess(Protocol):
    """What the protocol needs from a worker."""

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; raises `TimingError`."""
        ...

    def close(self) -> None:
        """End the process."""
        ...


@dataclass(frozen=True)
class Machine:
    """The machine, as one timing run uses it.

    Attributes:
        start_worker: starts a fresh process, pinned, with its environment set.
        start_sentinels: starts a process that samples the speed of the measured cores from then on.
        snapshot: reads the counters of the measured cores.
        free_memory_share: how much of the memory is free, 0 to 1.
        clock_s: wall seconds.
        own_cpu_s: CPU seconds of this process, which do not count as other work.
    """

    start_worker: Callable[[], TimedProcess]
    start_sentinels: Callable[[], TimedProcess]
    snapshot: Callable[[], conditions.Snapshot]
    free_memory_share: Callable[[], float]
    clock_s: Callable[[], float]
    own_cpu_s: Callable[[], float]

    @classmethod
    def real(cls, settings: TimingSettings) -> "Machine":
        """This host, with workers as `settings` says."""
        cores = host.cores_to_pin(settings.used_threads)
        return cls(
            start_worker=lambda: Worker(settings.used_threads, cores, settings.allocator),
            start_sentinels=lambda: _sentinels(cores),
            snapshot=lambda: conditions.snapshot(cores),
            free_memory_share=lambda: psutil.virtual_memory().available / psutil.virtual_memory().total,
            clock_s=time.monotonic,
            own_cpu_s=time.process_time,
        )


def _sentinels(cores: list[int]) -> Worker:
    """A process whose threads pin themselves to a core each."""
    worker = Worker(1, [], "stock")
    worker.ask("watch", cores=cores)
    return worker
