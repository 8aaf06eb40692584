"""How fast the machine is right now, measured by fixed pieces of work.

Neighbours on a shared host slow it down for seconds at a time without taking any of its CPU time: they share caches,
memory and the other half of each physical core. No kernel counter shows that; repeating the same work does. Before a
call, a probe on all measured cores tells whether the machine is quiet. During the call, a sentinel on each core tells
whether it stayed quiet. Both run in separate processes, so what is measured never depends on them.
"""

from collections.abc import Callable, Iterable

import numpy as np

from enhance_sweep.timing.conditions import SLOW_LIMIT
from enhance_sweep.timing.machine import TimedProcess

#: Readings this much above the fastest tell nothing about the machine's best.
_NEAR_THE_BEST = 1.15
_CALIBRATION_S, _PATIENCE_S = 5.0, 10.0
#: A call too short for this many samples of a core is judged by the probe alone.
_FEWEST_SAMPLES = 3
_KEPT_SHARE = 0.9


class Best:
    """How long a piece of work takes on the undisturbed machine, as far as observed."""

    def __init__(self) -> None:
        """Start without readings."""
        self._near: list[float] = []

    def slowdown(self, readings_ms: Iterable[float]) -> float:
        """How much slower than its best the machine was in the slowest of these readings (0.2: 20%)."""
        readings = list(readings_ms)
        fastest = min([*readings, *self._near])
        self._near = [one for one in [*self._near, *readings] if one <= fastest * _NEAR_THE_BEST]
        return max(readings) / float(np.percentile(self._near, 25)) - 1


class Gauge:
    """Readings of the machine's speed over one run.

    Args:
        probe: a process with the measured threads and cores.
        sentinels: a process with a sentinel on each of these cores.
        clock_s: gives wall seconds.
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
        """Probe once; returns how much slower than its best the machine is."""
        return self._probed.slowdown([float(self._probe.ask("probe")["probe_ms"])])

    def wait_until_quiet(self) -> float:
        """Probe until the machine is quiet, for a few seconds at most; returns the last reading."""
        start_s = self._clock_s()
        while (slowdown := self.read()) > SLOW_LIMIT and self._clock_s() - start_s < _PATIENCE_S:
            pass
        self._samples()  # drop what was sampled before the call
        return slowdown

    def since(self) -> float | None:
        """How much slower than its best the slowest core was on average since `wait_until_quiet`.

        None where there were too few samples.
        """
        samples = self._samples()
        if any(len(of_core) < _FEWEST_SAMPLES for of_core in samples):
            return None
        return self._sampled.slowdown(_typical(of_core) for of_core in samples)

    def _samples(self) -> list[list[float]]:
        """Each core's samples since the last request, CPU milliseconds."""
        return list(self._sentinels.ask("samples")["samples_ms"].values())


def _typical(samples_ms: list[float]) -> float:
    """The mean without the slowest tenth (at least one sample): an interrupted sample tells nothing."""
    return float(np.mean(sorted(samples_ms)[: int(len(samples_ms) * _KEPT_SHARE)]))
