"""How fast the machine is right now, by pieces of work that are always the same.

Neighbours on a shared host slow it down for seconds at a time without taking any of its CPU time: they share caches,
memory and the other half of each physical core. No counter of the kernel shows that; the same work done again and again
does. Before a call a probe on all measured cores says whether it is a good moment; during it a sentinel on each core
says whether it stayed one. Both run in processes of their own, so that what is measured never depends on them.
"""

from collections.abc import Callable, Iterable

import numpy as np

from enhance_sweep.timing.conditions import SLOW_LIMIT
from enhance_sweep.timing.machine import TimedProcess

#: Readings this much above the fastest say nothing about what the machine's best is.
_NEAR_THE_BEST = 1.15
_CALIBRATION_S, _PATIENCE_S = 5.0, 10.0
#: A call too short for this many samples of a core is judged by the probe alone.
_FEWEST_SAMPLES = 3
_KEPT_SHARE = 0.9


class Best:
    """What a piece of work takes on the undisturbed machine, as far as it has been seen."""

    def __init__(self) -> None:
        """Nothing is seen yet."""
        self._near: list[float] = []

    def slowdown(self, readings_ms: Iterable[float]) -> float:
        """How much slower than at its best the machine was in the slowest of these readings (0.2: 20%)."""
        readings = list(readings_ms)
        fastest = min([*readings, *self._near])
        self._near = [one for one in [*self._near, *readings] if one <= fastest * _NEAR_THE_BEST]
        return max(readings) / float(np.percentile(self._near, 25)) - 1


class Gauge:
    """Readings of the machine's speed over one run.

    Args:
        probe: a process with the threads and on the cores that are measured on.
        sentinels: a process that has a sentinel on each of these cores.
        clock_s: wall seconds.
    """

    def __init__(self, probe: TimedProcess, sentinels: TimedProcess, clock_s: Callable[[], float]) -> None:
        self._probe, self._sentinels, self._clock_s = probe, sentinels, clock_s
        self._probed, self._sampled = Best(), Best()
        start_s = clock_s()
        while clock_s() - start_s < _CALIBRATION_S:
            self.read()
        for of_core in self._samples():
            for first in range(0, len(of_core) - _FEWEST_SAMPLES + 1, _FEWEST_SAMPLES):
                self._sampled.slowdown([_typical(of_core[first : first + _FEWEST_SAMPLES])])

    def read(self) -> float:
        """Probe once; gives how much slower than at its best the machine is."""
        return self._probed.slowdown([float(self._probe.ask("probe")["probe_ms"])])

    def wait_until_quiet(self) -> float:
        """Probe until the machine is undisturbed, but not for longer than a few seconds; gives the last reading."""
        start_s = self._clock_s()
        while (slowdown := self.read()) > SLOW_LIMIT and self._clock_s() - start_s < _PATIENCE_S:
            pass
        self._samples()  # what was sampled until now is not of the call that follows
        return slowdown

    def since(self) -> float | None:
        """How much slower than at its best the slowest core was on average since `wait_until_quiet`.

        None where there was no time for samples.
        """
        samples = self._samples()
        if any(len(of_core) < _FEWEST_SAMPLES for of_core in samples):
            return None
        return self._sampled.slowdown(_typical(of_core) for of_core in samples)

    def _samples(self) -> list[list[float]]:
        """What was sampled of each core since the last time, CPU milliseconds."""
        return list(self._sentinels.ask("samples")["samples_ms"].values())


def _typical(samples_ms: list[float]) -> float:
    """The mean without the slowest tenth, one sample at least: a sample that was interrupted says nothing."""
    return float(np.mean(sorted(samples_ms)[: int(len(samples_ms) * _KEPT_SHARE)]))
