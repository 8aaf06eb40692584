"""Does the gauge see what slows a call down? The baseline's calls, and how slow the cores were meanwhile.

    python benchmarks/gauge.py

Prints each call's time with the slowdown that the sentinels saw during it, and the correlation of the two.
"""

import contextlib
import dataclasses

import numpy as np

from enhance_sweep.paper.baseline import BASELINE
from enhance_sweep.settings import TimingSettings
from enhance_sweep.system.locks import host_lock
from enhance_sweep.timing import variants
from enhance_sweep.timing.gauge import Gauge
from enhance_sweep.timing.machine import Machine

WARM_UP, CALLS = 2, 12


def main() -> None:
    settings = TimingSettings()
    machine = Machine.real(settings)
    with host_lock(), contextlib.ExitStack() as stack:
        processes = [machine.start_worker(), machine.start_sentinels(), machine.start_worker()]
        for process in processes:
            stack.callback(process.close)
        probe, sentinels, worker = processes
        gauge = Gauge(probe, sentinels, machine.clock_s)
        job = dataclasses.asdict(settings) | {"threads": settings.used_threads}
        worker.ask("load", **job, model=dict(BASELINE), runtime=variants.runtime("eager"))
        for _ in range(WARM_UP):
            worker.ask("call", memory=False)
        pairs = []
        for _ in range(CALLS):
            sentinels.ask("samples")  # whatever the moment is: slow ones are wanted here
            latency_ms = worker.ask("call", memory=False)["latency_ms"]
            pairs.append((latency_ms, gauge.since() or 0.0))
            print(f"{latency_ms:6.0f} ms, {pairs[-1][1]:+.0%} slower than at its best", flush=True)
    print(f"correlation {np.corrcoef(np.array(pairs).T)[0, 1]:.2f}")


if __name__ == "__main__":
    main()
