"""How fast each measured core is while something else runs on it, from short samples of fixed work.

A thread on each core wakes ten times a second, multiplies two small matrices that fit its cache, and records the CPU
time. CPU time does not include waiting for the core, only how fast it computes, so a neighbour on the other half of the
physical core shows. The samples take less than one hundredth of the core, the same for every network.
"""

import os
import threading
import time

_PERIOD_S = 0.1
_SIDE = 192


class Sentinels:
    """Threads that sample the speed of cores from now until the process ends.

    Args:
        cores: each gets a thread pinned to it. Empty where the platform cannot pin: one thread, anywhere.
    """

    def __init__(self, cores: list[int]) -> None:
        self._lock = threading.Lock()
        self._samples_ms: dict[int, list[float]] = {core: [] for core in cores or [-1]}
        for index, core in enumerate(self._samples_ms):
            # Staggered, because a network's threads wait for each other.
            delay_s = _PERIOD_S * index / len(self._samples_ms)
            threading.Thread(target=self._sample, args=(core, delay_s), daemon=True).start()

    def take(self) -> dict[str, list[float]]:
        """The samples since the last call, CPU milliseconds by core."""
        with self._lock:
            taken = {str(core): samples for core, samples in self._samples_ms.items()}
            self._samples_ms = {core: [] for core in self._samples_ms}
        return taken

    def _sample(self, core: int, delay_s: float) -> None:
        import numpy as np

        if core >= 0:
            os.sched_setaffinity(0, {core})  # of this thread
        factor = np.random.default_rng(0).random((_SIDE, _SIDE), dtype=np.float32)
        product = np.empty_like(factor)
        time.sleep(delay_s)
        while True:
            time.sleep(_PERIOD_S)
            np.matmul(factor, factor, out=product)  # into the cache
            start_ns = time.thread_time_ns()
            np.matmul(factor, factor, out=product)
            np.matmul(factor, factor, out=product)
            sample_ms = (time.thread_time_ns() - start_ns) / 1e6
            with self._lock:
                self._samples_ms[core].append(sample_ms)
