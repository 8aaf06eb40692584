"""How architectures are timed: processes, warm-up, rounds, when to stop, and what is written down of it.

A run times a list of architectures under one measurement. It works in sessions: each starts a fresh process for every
architecture that it takes up (and for the baseline), warms all up, and then calls them round by round in random order.
A round that something else disturbed is repeated. Between sessions an architecture is done once enough processes have
seen it and its speed-up's interval is narrow, or the budget is spent.
"""

import contextlib
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import psutil

from enhance_sweep.environment import describe_environment
from enhance_sweep.records import SCHEMA, architecture_key, architecture_slug, measured_key
from enhance_sweep.timing import conditions, host
from enhance_sweep.timing.lock import host_lock
from enhance_sweep.timing.process import TimingError, Worker
from enhance_sweep.timing.settings import TimingSettings
from enhance_sweep.timing.statistics import Ratio, agree, interquartile_range, median, paired_ratio

#: The network that every speed-up is relative to: DPED's own (Ignatov et al. 2017), row 3/64/4 of Table 1.
BASELINE: Mapping[str, Any] = {
    "_target_": "enhance_sweep.models.PlainGenerator",
    "name": "plain",
    "kernel_size": 3,
    "channels": 64,
    "blocks": 4,
    "prelu": False,
}
#: Warm-up ends when this many calls in a row, the first included, agree within this share.
WARM_CALLS, WARM_TOLERANCE = 3, 0.05
#: A speed-up is settled when both ends of its interval are this close to it.
SETTLED = 0.02
#: At most so many networks are held in memory at once, and no further one while less than this share of it is free.
GROUP_SIZE, FREE_SHARE = 4, 0.5

JsonObject = dict[str, Any]


class TimedProcess(Protocol):
    """What the protocol needs of a worker: `Worker`, or a simulated one in tests."""

    def ask(self, command: str, **arguments: Any) -> JsonObject:
        """Send a command and wait for its answer; raises `TimingError`."""
        ...

    def close(self) -> None:
        """End the process."""
        ...


@dataclass(frozen=True)
class Machine:
    """Where the protocol meets the world: the clock, worker processes, counters. Tests give a simulated one."""

    start_worker: Callable[[], TimedProcess]
    snapshot: Callable[[], conditions.Snapshot]
    free_memory_share: Callable[[], float]
    clock_s: Callable[[], float] = time.monotonic
    own_cpu_s: Callable[[], float] = time.process_time

    @classmethod
    def real(cls, settings: TimingSettings) -> "Machine":
        """This host, with workers as `settings` wants them."""
        cores = host.cores_to_pin(settings.used_threads)
        return cls(
            start_worker=lambda: Worker(settings.used_threads, cores, settings.allocator),
            snapshot=lambda: conditions.snapshot(cores),
            free_memory_share=lambda: psutil.virtual_memory().available / psutil.virtual_memory().total,
        )


@dataclass
class Subject:
    """One architecture while it is timed: what its processes have shown so far."""

    model: Mapping[str, Any]
    processes: list[JsonObject] = field(default_factory=list)
    repeated_rounds: int = 0
    stopped: str | None = None
    failure: str | None = None
    started_at: str = field(default_factory=lambda: _now())

    @property
    def architecture(self) -> JsonObject:
        """`topology` and the constructor's arguments."""
        return architecture_of(self.model)

    def rounds(self) -> list[JsonObject]:
        """All rounds that count."""
        return [one for process in self.processes for one in process["rounds"]]

    def speed_up(self) -> Ratio | None:
        """The speed-up over the baseline, if it ran beside it."""
        return speed_up({"processes": self.processes})


def speed_up(samples: Mapping[str, Any]) -> Ratio | None:
    """The speed-up over the baseline that a timed record's `samples` show, with its interval; None if not paired."""
    pairs = [
        [(r["latency_ms"], r["baseline_latency_ms"]) for r in process["rounds"] if "baseline_latency_ms" in r]
        for process in samples["processes"]
    ]
    return paired_ratio(pairs) if any(pairs) else None


def architecture_of(model: Mapping[str, Any]) -> JsonObject:
    """A network's configuration as its architecture: `topology` and the constructor's arguments."""
    return {"topology": model["name"]} | {k: v for k, v in model.items() if k not in ("_target_", "name")}


def time_variant(model: Mapping[str, Any], timing: TimingSettings, runtime: Mapping[str, Any]) -> JsonObject:
    """Time one architecture: a timed record, ready for `enhance_sweep.records.write_timed`.

    A network that cannot be timed gives a record that is `failed`, with its reason.

    Args:
        model: a network's configuration: `_target_`, `name` and its constructor's arguments.
        timing: how to measure.
        runtime: a runtime's configuration: `_target_`, `name` and its constructor's arguments.
    """
    return time_variants([model], timing, runtime)[0]


def time_variants(
    models: Sequence[Mapping[str, Any]],
    timing: TimingSettings,
    runtime: Mapping[str, Any],
    machine: Machine | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> list[JsonObject]:
    """Time several architectures in one run, under the host's lock.

    Args:
        models: networks' configurations.
        timing: how to measure.
        runtime: a runtime's configuration.
        machine: the real one unless given.
        tell: takes a line of progress now and then.

    Returns:
        A timed record for each model, in order.
    """
    subjects = [Subject(model) for model in models]
    with host_lock():
        Run(timing, runtime, machine or Machine.real(timing), tell).time(subjects)
    return [record(subject, timing, runtime) for subject in subjects]


class Run:
    """One timing run: all that its sessions share."""

    def __init__(
        self, timing: TimingSettings, runtime: Mapping[str, Any], machine: Machine, tell: Callable[[str], None]
    ) -> None:
        """Hold what all sessions need; `time` does the work."""
        self._timing, self._runtime, self._machine, self._tell = timing, runtime, machine, tell
        self._random = random.Random(timing.seed)

    def time(self, subjects: Sequence[Subject]) -> None:
        """Hold sessions until every subject is settled, has failed, or the budget is spent."""
        end_s = self._machine.clock_s() + self._timing.budget_s * len(subjects)
        while waiting := [subject for subject in subjects if not subject.stopped and not subject.failure]:
            # Who has been seen least comes first: a session may have no room for all.
            self._random.shuffle(waiting)
            waiting.sort(key=lambda subject: len(subject.processes))
            self._session(waiting)
            for subject in waiting:
                self._judge(subject, end_s)

    def _session(self, waiting: Sequence[Subject]) -> None:
        """Fresh processes for as many of `waiting` as there is room for, and their rounds."""
        with contextlib.ExitStack() as stack:
            baseline = self._start(stack, BASELINE) if self._timing.paired else None
            running: list[tuple[Subject, TimedProcess]] = []
            for subject in waiting:
                if running and (len(running) >= self._group_size or self._machine.free_memory_share() < FREE_SHARE):
                    break
                try:
                    worker, process = self._start(stack, subject.model)
                except TimingError as error:
                    subject.failure = str(error)
                    self._tell(f"{architecture_slug(subject.architecture)} failed: {error}")
                    continue
                subject.processes.append(process)
                running.append((subject, worker))
            for _ in range(self._timing.samples):
                running = self._round(running, baseline[0] if baseline else None)

    @property
    def _group_size(self) -> int:
        """Alone, a network needs no others beside it: only the baseline's time is worth sharing."""
        return GROUP_SIZE if self._timing.paired else 1

    def _start(self, stack: contextlib.ExitStack, model: Mapping[str, Any]) -> tuple[TimedProcess, JsonObject]:
        """A fresh worker with `model` loaded and warm, and what its process has shown by then."""
        timing = self._timing
        worker = self._machine.start_worker()
        stack.callback(worker.close)
        loaded = worker.ask(
            "load",
            model=dict(model),
            runtime=dict(self._runtime),
            precision=timing.precision,
            layout=timing.layout,
            threads=timing.used_threads,
            seed=timing.seed,
            width=timing.width,
            height=timing.height,
            photograph=timing.photograph,
        )
        first = worker.ask("call", memory=True)
        calls = [first["latency_ms"]]
        while len(calls) <= timing.warm_up_calls and not _warm(calls):
            calls.append(worker.ask("call", memory=False)["latency_ms"])
        process = {"loaded": loaded, "first_call": first, "warm_up_ms": calls[1:], "warm": _warm(calls)}
        return worker, process | {"rounds": [], "repeated_rounds": []}

    def _round(
        self, running: list[tuple[Subject, TimedProcess]], baseline: TimedProcess | None
    ) -> list[tuple[Subject, TimedProcess]]:
        """Call everybody once in random order, again where something disturbed it; gives who is still there."""
        for attempt in range(self._timing.repeats + 1):
            before, own_s = self._machine.snapshot(), self._machine.own_cpu_s()
            calls, beside = self._call_all(running, baseline)
            running = [(subject, worker) for subject, worker in running if not subject.failure]
            own_s = self._machine.own_cpu_s() - own_s + sum(call["cpu_s"] for call in (*calls.values(), *beside))
            around = conditions.between(before, self._machine.snapshot(), own_s)
            keep = not around.disturbed_by or attempt == self._timing.repeats
            for subject, _ in running:
                one: JsonObject = calls[id(subject)] | {"conditions": around.as_dict()}
                if beside:
                    one |= {f"baseline_{name}": value for name, value in beside[0].items()}
                subject.processes[-1]["rounds" if keep else "repeated_rounds"].append(one)
                subject.repeated_rounds += not keep
            if keep:
                break
        return running

    def _call_all(
        self, running: Sequence[tuple[Subject, TimedProcess]], baseline: TimedProcess | None
    ) -> tuple[dict[int, JsonObject], list[JsonObject]]:
        """One call each, in random order: the subjects' by identity, and the baseline's."""
        calls: dict[int, JsonObject] = {}
        beside: list[JsonObject] = []
        order: list[tuple[Subject | None, TimedProcess]] = [*running]
        if baseline is not None:
            order.append((None, baseline))
        self._random.shuffle(order)
        for position, (subject, worker) in enumerate(order):
            try:
                call = worker.ask("call", memory=False) | {"position": position}
            except TimingError as error:
                if subject is None:
                    raise
                subject.failure = str(error)
                continue
            if subject is None:
                beside.append(call)
            else:
                calls[id(subject)] = call
        return calls, beside

    def _judge(self, subject: Subject, end_s: float) -> None:
        """Stop a subject that is settled or out of budget, with the reason."""
        if subject.failure or not subject.processes:
            return
        enough = len(subject.processes) >= self._timing.processes
        ratio = subject.speed_up()
        if enough and ratio is None:
            subject.stopped = f"{self._timing.processes} processes of {self._timing.samples} samples"
        elif enough and ratio is not None and ratio.within(SETTLED):
            subject.stopped = f"interval within {SETTLED:.0%}"
        elif self._machine.clock_s() >= end_s:
            subject.stopped = "budget spent"
        state = (
            f"{architecture_slug(subject.architecture)}: {median([r['latency_ms'] for r in subject.rounds()]):.0f} ms"
        )
        if ratio is not None:
            state += f", {ratio.median:.3f} times the baseline's speed ({ratio.low:.3f} to {ratio.high:.3f})"
        self._tell(f"{state}, {subject.stopped or 'to be continued'}")


def measurement_of(timing: TimingSettings, runtime: Mapping[str, Any]) -> JsonObject:
    """How this host measures under these settings: what makes a `measured_key`, together with the architecture."""
    return {
        "runtime": runtime["name"],
        "precision": timing.precision,
        "layout": timing.layout,
        "size": [timing.width, timing.height],
        "threads": timing.used_threads,
        "allocator": timing.allocator,
        "host": host.host_id(host.fingerprint()),
    }


def record(subject: Subject, timing: TimingSettings, runtime: Mapping[str, Any]) -> JsonObject:
    """What is written down of a timed architecture (`enhance_sweep.records`)."""
    from enhance_sweep.models.description import describe
    from enhance_sweep.timing.worker import build

    fingerprint = host.fingerprint()
    measurement = measurement_of(timing, runtime)
    architecture = subject.architecture
    return {
        "schema": SCHEMA,
        "kind": "timed",
        "key": measured_key(architecture, measurement),
        "architecture_key": architecture_key(architecture),
        "status": "failed" if subject.failure else "completed",
        "reason": subject.failure,
        "architecture": architecture,
        "description": describe(build(dict(subject.model)), 720, 1280),
        "measurement": measurement,
        **_figures(subject),
        "stopped": subject.stopped,
        "repeated_rounds": subject.repeated_rounds,
        "disturbed_rounds": sum(bool(one["conditions"]["disturbed_by"]) for one in subject.rounds()),
        "baseline": architecture_key(architecture_of(BASELINE)) if timing.paired else None,
        "samples": {"processes": subject.processes},
        "started_at": subject.started_at,
        "finished_at": _now(),
        "environment": describe_environment() | {"allocator": timing.allocator, "fingerprint": fingerprint},
    }


def _figures(subject: Subject) -> JsonObject:
    """The medians that a table shows; none where nothing was measured."""
    rounds = subject.rounds()
    if subject.failure or not rounds:
        return {}
    latencies = [one["latency_ms"] for one in rounds]
    firsts = [process["first_call"] for process in subject.processes]
    return {
        "latency_ms_median": median(latencies),
        "latency_ms_iqr": interquartile_range(latencies),
        "cpu_s_median": median([one["cpu_s"] for one in rounds]),
        "peak_rss_mib": median([first["memory"]["peak_rss_mib"] for first in firsts]),
        "peak_rss_delta_mib": median([first["memory"]["peak_rss_delta_mib"] for first in firsts]),
        "first_call_ms": median([first["latency_ms"] for first in firsts]),
    }


def _warm(calls: Sequence[float]) -> bool:
    return len(calls) >= WARM_CALLS and agree(calls[-WARM_CALLS:], WARM_TOLERANCE)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
