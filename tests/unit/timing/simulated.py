"""A simulated host: a clock that only calls move, and workers whose speed is written down beforehand."""

import random
from collections.abc import Callable, Mapping
from typing import Any

from enhance_sweep.paper.baseline import BASELINE
from enhance_sweep.settings import TimingSettings
from enhance_sweep.timing.conditions import Snapshot
from enhance_sweep.timing.machine import Machine
from enhance_sweep.timing.process import TimingError

EAGER = {"_target_": "enhance_sweep.timing.runtimes.eager.Eager", "name": "eager"}
CORES = 2
PROBE_MS, SAMPLE_MS = 25.0, 0.2


def network(channels: int) -> dict[str, Any]:
    """A model's configuration, told from others by its channels; 64 is the baseline's."""
    return dict(BASELINE) | {"channels": channels}


def settings(**changes: Any) -> TimingSettings:
    return TimingSettings(**({"width": 64, "height": 36, "threads": CORES, "samples": 3} | changes))


class SimulatedHost:
    """Networks take `latency_ms[channels]`; the rest can be made to go wrong.

    Attributes:
        noise: the standard deviation of each call's latency, as a share.
        process_luck: the same, of a whole process.
        slowdown: the factor on all latencies at a time in seconds.
        others: the share of the cores that something else takes at a time in seconds.
        contention: the factor on all latencies and on the gauge, at a time in seconds.
        cold: the factor on the first calls of each process, in order.
        asked: every command in order, with the channels it concerned.
    """

    def __init__(self, latency_ms: Mapping[int, float], seed: int = 0) -> None:
        self.latency_ms = dict(latency_ms)
        self.random = random.Random(seed)
        self.time_s = self.busy_s = 0.0
        self.noise = self.process_luck = 0.0
        self.slowdown: Callable[[float], float] = lambda time_s: 1.0
        self.others: Callable[[float], float] = lambda time_s: 0.0
        self.contention: Callable[[float], float] = lambda time_s: 1.0
        self.contended = 1.0
        self.cold: list[float] = []
        self.dies: set[int] = set()
        self.check = {"max_abs_error": 0.0, "psnr_db": None, "reference_std": 0.2}
        self.free_memory_share = 1.0
        self.asked: list[tuple[str, int]] = []
        self.alive = self.most_alive = self.started = 0

    def machine(self) -> Machine:
        return Machine(
            start_worker=lambda: SimulatedWorker(self),
            start_sentinels=lambda: SimulatedWorker(self),
            snapshot=lambda: Snapshot(self.busy_s, 0.0, CORES * self.time_s - self.busy_s, None, None),
            free_memory_share=lambda: self.free_memory_share,
            clock_s=lambda: self.time_s,
            own_cpu_s=lambda: 0.0,
        )

    def pass_time(self, seconds: float) -> None:
        """All cores are busy whenever time passes: with a call, and with whatever else there is."""
        self.busy_s += seconds * CORES
        self.time_s += seconds


class SimulatedWorker:
    def __init__(self, host: SimulatedHost) -> None:
        self.host, self.calls, self.channels = host, 0, 0
        self.luck = max(0.1, host.random.gauss(1.0, host.process_luck))
        host.started += 1
        host.alive += 1
        host.most_alive = max(host.most_alive, host.alive)

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        host = self.host
        if "model" in arguments:
            self.channels = arguments["model"]["channels"]
        host.asked.append((command, self.channels))
        if command == "probe":
            probe_ms = PROBE_MS * host.contention(host.time_s)
            host.pass_time(probe_ms / 1e3)
            return {"probe_ms": probe_ms}
        if command == "samples":
            return {"samples_ms": {str(core): [SAMPLE_MS * host.contended] * 9 for core in range(CORES)}}
        if command == "limit":
            return {"fp32_gflops": 100.0, f"{arguments['precision']}_gflops": 100.0, "copy_gb_per_s": 10.0}
        if command == "check":
            return dict(host.check)
        if command == "load":
            host.pass_time(1.0)
            return {"load_ms": 1000.0, "preparing_ms": {}}
        if self.channels in host.dies:
            raise TimingError("the timing worker was ended by SIGKILL")
        cold = host.cold[self.calls] if self.calls < len(host.cold) else 1.0
        self.calls += 1
        others = host.others(host.time_s)
        latency_ms = host.latency_ms[self.channels] * self.luck * cold * host.slowdown(host.time_s)
        host.contended = host.contention(host.time_s)
        latency_ms *= host.contended
        latency_ms *= max(0.1, host.random.gauss(1.0, host.noise)) / (1 - others)
        host.pass_time(latency_ms / 1e3)
        # Of a time in which all cores were busy, this process had its share.
        answer = {"latency_ms": latency_ms, "cpu_s": latency_ms / 1e3 * CORES * (1 - others), "page_faults": 0}
        memory = {"peak_rss_mib": 500.0, "peak_rss_delta_mib": 100.0 + host.started, "method": "simulated"}
        return answer | ({"memory": memory} if arguments["memory"] else {})

    def close(self) -> None:
        self.host.alive -= 1
