"""How fast the machine is right now, by a small piece of work that is always the same.

Neighbours on a shared host slow it down for seconds at a time without taking any of its CPU time: they share caches,
memory and the other half of each physical core. No counter of the kernel shows that; the same work done before and
after a call does. It runs in a process of its own, so that what is measured never depends on it.
"""

from collections.abc import Callable

import numpy as np

from enhance_sweep.timing.conditions import SLOW_LIMIT
from enhance_sweep.timing.machine import TimedProcess

#: Readings this much above the fastest say nothing about what the machine's best is.
_NEAR_THE_BEST = 1.15
_CALIBRATION_S, _PATIENCE_S = 5.0, 10.0


class Gauge:
    """Readings of the machine's speed over one run.

    Args:
        worker: a process of its own, with the threads and on the cores that are measured on.
        clock_s: wall seconds.
    """

    def __init__(self, worker: TimedProcess, clock_s: Callable[[], float]) -> None:
        self._worker, self._clock_s = worker, clock_s
        self._near_best: list[float] = []
        start_s = clock_s()
        while clock_s() - start_s < _CALIBRATION_S:
            self.read()

    @property
    def best_ms(self) -> float:
        """What the work takes on the undisturbed machine, as far as this run has seen it."""
        return float(np.percentile(self._near_best, 25))

    def read(self) -> float:
        """Do the work once; gives how much slower than at its best the machine is (0.2: 20%)."""
        reading_ms = float(self._worker.ask("probe")["probe_ms"])
        if not self._near_best or reading_ms <= min(self._near_best) * _NEAR_THE_BEST:
            self._near_best.append(reading_ms)
            fastest = min(self._near_best)
            self._near_best = [one for one in self._near_best if one <= fastest * _NEAR_THE_BEST]
        return reading_ms / self.best_ms - 1

    def wait_until_quiet(self) -> float:
        """Read until the machine is undisturbed, but not for longer than a few seconds; gives the last reading."""
        start_s = self._clock_s()
        while (slowdown := self.read()) > SLOW_LIMIT and self._clock_s() - start_s < _PATIENCE_S:
            pass
        return slowdown
