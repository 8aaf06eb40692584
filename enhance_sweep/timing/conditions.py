"""The conditions on the machine during a timed call.

Counters of the measured cores are read before and after each call. Another process on them, time stolen by a
hypervisor, throttling, or neighbours that slow the machine down spoil a call, whatever its own time was.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

#: Beyond these shares of the cores' time a call counts as disturbed.
OTHERS_LIMIT = 0.05
STEAL_LIMIT = 0.02
#: The machine is disturbed if it is slower than its best by more than this share. Two quiet Xeon cores stay within 5%.
SLOW_LIMIT = 0.08
#: The kernel counts core time in ticks of 10 ms: fewer seconds than this may be a rounding error.
TICK_SLACK_S = 0.05


@dataclass(frozen=True)
class Snapshot:
    """The counters at one moment. Core seconds are summed over the measured cores since boot."""

    busy_s: float
    steal_s: float
    idle_s: float
    throttled: int | None
    runnable_threads: int | None


@dataclass(frozen=True)
class Conditions:
    """What changed between two snapshots, and how much slower than its best the machine was."""

    others_share: float
    steal_share: float
    throttled: int | None
    runnable_threads_before: int | None
    runnable_threads_after: int | None
    slowdown_before: float | None
    slowdown_during: float | None
    disturbed_by: list[str]

    def as_dict(self) -> dict[str, Any]:
        """As a record holds it."""
        return asdict(self)


def snapshot(cores: Sequence[int]) -> Snapshot:
    """Read the counters of `cores`; if empty, of all cores."""
    every = psutil.cpu_times(percpu=True)
    times = [every[core] for core in cores if core < len(every)] or every
    return Snapshot(
        busy_s=sum(
            t.user + t.system + getattr(t, "nice", 0) + getattr(t, "irq", 0) + getattr(t, "softirq", 0) for t in times
        ),
        steal_s=sum(getattr(t, "steal", 0.0) for t in times),
        idle_s=sum(t.idle + getattr(t, "iowait", 0.0) for t in times),
        throttled=_throttle_count(),
        runnable_threads=_runnable_threads(),
    )


def between(
    before: Snapshot, after: Snapshot, own_s: float, slowdowns: tuple[float | None, float | None] = (None, None)
) -> Conditions:
    """Judge the time between two snapshots.

    Args:
        before: the first.
        after: the second.
        own_s: CPU seconds in between of the measured call and its parent.
        slowdowns: how much slower than its best the machine was before and in between (0.2: 20%), where that was
            gauged.
    """
    busy, steal = after.busy_s - before.busy_s, after.steal_s - before.steal_s
    total = max(busy + steal + after.idle_s - before.idle_s, 1e-9)
    others = max(busy - own_s, 0.0)
    throttled = None if after.throttled is None or before.throttled is None else after.throttled - before.throttled
    reasons = []
    if others > OTHERS_LIMIT * total + TICK_SLACK_S:
        reasons.append(f"other work took {others / total:.0%} of the measured cores")
    if steal > STEAL_LIMIT * total + TICK_SLACK_S:
        reasons.append(f"the hypervisor took {steal / total:.0%} of the measured cores")
    if throttled:
        reasons.append(f"throttled {throttled} times")
    slowest = max((slowdown for slowdown in slowdowns if slowdown is not None), default=0.0)
    if slowest > SLOW_LIMIT:
        reasons.append(f"the machine was {slowest:.0%} slower than at its best")
    return Conditions(
        others_share=others / total,
        steal_share=steal / total,
        throttled=throttled,
        runnable_threads_before=before.runnable_threads,
        runnable_threads_after=after.runnable_threads,
        slowdown_before=slowdowns[0],
        slowdown_during=slowdowns[1],
        disturbed_by=reasons,
    )


def _runnable_threads() -> int | None:
    """How many other threads run or wait for a core (Linux)."""
    try:
        return int(Path("/proc/loadavg").read_text().split()[3].split("/")[0]) - 1
    except OSError:
        return None


def _throttle_count() -> int | None:
    """How often all cores were throttled so far, by heat or a cgroup's quota; None where neither can be read."""
    counts = [int(path.read_text()) for path in Path("/sys/devices/system/cpu").glob("cpu*/thermal_throttle/*_count")]
    for path in (Path("/sys/fs/cgroup/cpu.stat"), Path("/sys/fs/cgroup/cpu/cpu.stat")):
        if path.exists():
            lines = [line.split() for line in path.read_text().splitlines()]
            counts += [int(value) for name, value in lines if name == "nr_throttled"]
    return sum(counts) if counts else None
