"""How architectures are timed: processes, warm-up, rounds, and when to stop.

A run times a list of architectures under one measurement. It works in sessions. Each session starts a fresh process
for the baseline and for as many architectures as there is room for, warms all up, and then calls them round by round in
random order. A call that something else disturbed is repeated. An architecture is finished once enough processes have
timed it and its speed-up's interval is narrow, or the budget is spent. In a paired run the first sessions also time the
baseline against itself, until its interval is narrow. That shows whether the run can be trusted.
"""

import contextlib
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from enhance_sweep.paper.baseline import BASELINE
from enhance_sweep.records.keys import architecture_of, architecture_slug
from enhance_sweep.records.schema import TimedRecord
from enhance_sweep.settings import TimingSettings
from enhance_sweep.stats.speed_up import FEWEST_UNDISTURBED, Ratio
from enhance_sweep.system.environment import cost_of_precision
from enhance_sweep.system.locks import host_lock
from enhance_sweep.timing import conditions
from enhance_sweep.timing.gauge import Gauge
from enhance_sweep.timing.machine import Machine, TimedProcess
from enhance_sweep.timing.process import TimingError
from enhance_sweep.timing.recording import SETTLED, measurement_of, record
from enhance_sweep.timing.statistics import agree, median
from enhance_sweep.timing.subject import JsonObject, Subject

__all__ = ["BASELINE", "Baseline", "Run", "architecture_of", "measurement_of", "time_variant", "time_variants"]

#: Warm-up ends when the fastest of so many undisturbed calls is within this share of the fastest before them, the first
#: call included: calls get no faster, nor slower, any more (docs/decisions/timing-protocol.md).
WARM_CALLS, WARM_TOLERANCE = 2, 0.05
_SPENT = "budget spent"
#: At most this many networks are in memory at once, and none is added while less than this share of memory is free.
GROUP_SIZE, FREE_SHARE = 5, 0.5
#: How far a runtime's result may be from eager fp32's: any value in fp32, the PSNR of the clipped image in bf16.
MAX_ABS_ERROR, MIN_PSNR_DB = 1e-3, 40.0
#: The same of a lowered network in eager fp32, from the network as written; other runtimes differ by more themselves.
MAX_LOWERED_ERROR = 1e-4


def time_variant(model: Mapping[str, Any], timing: TimingSettings, runtime: Mapping[str, Any]) -> TimedRecord:
    """Time one architecture; gives a timed record, ready for `enhance_sweep.records.write_timed`.

    If the network cannot be timed, the record is `failed` and says why.

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
    *,
    machine: Machine | None = None,
    tell: Callable[[str], None] = lambda line: None,
    done: Callable[[TimedRecord], None] = lambda record: None,
) -> list[TimedRecord]:
    """Time several architectures in one run, under the host's lock.

    Args:
        models: networks' configurations, without repeats.
        timing: how to measure.
        runtime: a runtime's configuration.
        machine: the real one unless given.
        tell: receives lines of progress.
        done: receives each record as soon as it is complete, so an interrupted run loses only the others.

    Returns:
        A timed record for each model, in order.
    """
    subjects = [Subject(model) for model in models]
    records: dict[int, TimedRecord] = {}
    with host_lock():
        run = Run(timing, runtime, machine or Machine.real(timing), tell)

        def finish(subject: Subject) -> None:
            if any(subject is one for one in subjects):
                records[id(subject)] = record(subject, timing, runtime, run.baseline_check, run.arithmetic_limit)
                done(records[id(subject)])

        run.time(subjects, finish)
    return [records[id(subject)] for subject in subjects]


@dataclass(frozen=True)
class Baseline:
    """The network called in every round beside the others, for comparison.

    Attributes:
        model: a network's configuration.
        runtime: a runtime's configuration.
    """

    model: Mapping[str, Any]
    runtime: Mapping[str, Any]


class Run:
    """One timing run: what its sessions share, and what it found out about itself.

    Attributes:
        baseline_check: the baseline's speed-up over itself; None where it was not paired.
        arithmetic_limit: what the cores reach in a large matrix product, `fp32_gflops` and, where it was measured,
            `bf16_gflops`.
    """

    def __init__(
        self,
        timing: TimingSettings,
        runtime: Mapping[str, Any],
        machine: Machine,
        tell: Callable[[str], None],
        other_baseline: Baseline | None = None,
    ) -> None:
        """Store what all sessions need; `time` does the work.

        Args:
            timing: how to measure.
            runtime: a runtime's configuration.
            machine: the means.
            tell: takes a line of progress.
            other_baseline: called in every round in place of the paper's baseline. Such a run says how two ways of
                running a network compare: it checks neither the baseline against itself nor results against eager.
        """
        self._timing, self._runtime, self._machine, self._tell = timing, runtime, machine, tell
        self._baseline = other_baseline or Baseline(BASELINE, runtime)
        self._has_checks = other_baseline is None
        self._random = random.Random(timing.seed)
        self.baseline_check: Ratio | None = None
        self.arithmetic_limit: JsonObject | None = None
        self._gauge: Gauge | None = None
        self._end_s = math.inf
        #: Seconds that the last process of a network took to be warm, and then for a call.
        self._cost_s: dict[str, tuple[float, float]] = {}

    def time(self, subjects: Sequence[Subject], finish: Callable[[Subject], None]) -> None:
        """Time all subjects, and the baseline against itself; `finish` receives each subject that is done.

        That check is among the first and is finished before any other subject: every record states its result.
        """
        self_check: Subject | None = None
        if cost := cost_of_precision(self._timing.precision):
            self._tell(cost)
        if self._timing.paired and self._has_checks:
            self.arithmetic_limit = self._ask_once(
                "limit", threads=self._timing.used_threads, precision=self._timing.precision
            )
            baseline = architecture_of(BASELINE)
            self_check = next((one for one in subjects if one.architecture == baseline), Subject(BASELINE))
            subjects = [self_check, *(one for one in subjects if one is not self_check)]
        finished: list[int] = []

        def finish_ready() -> None:
            if self_check is None or not self_check.unfinished:
                self.baseline_check = self_check.speed_up() if self_check else None
                for subject in subjects:
                    if not subject.unfinished and id(subject) not in finished:
                        finished.append(id(subject))
                        finish(subject)

        try:
            with contextlib.ExitStack() as stack:
                if self._timing.paired:
                    probe, sentinels = self._machine.start_worker(), self._machine.start_sentinels()
                    stack.callback(probe.close)
                    stack.callback(sentinels.close)
                    self._gauge = Gauge(probe, sentinels, self._machine.clock_s)
                self._until_settled(subjects, self_check, finish_ready)
        except KeyboardInterrupt:
            # Keep what was measured so far: its interval says how much it is worth.
            for subject in subjects:
                if subject.unfinished and subject.rounds():
                    subject.stopped = "interrupted"
            if self_check is None or self_check.stopped:
                subjects = [subject for subject in subjects if not subject.unfinished]
                finish_ready()
            raise

    def _until_settled(
        self, subjects: Sequence[Subject], self_check: Subject | None, after_session: Callable[[], None]
    ) -> None:
        """Hold sessions until every subject is settled or has failed, or the budget is spent.

        `self_check`, the baseline against itself, is in every session until it is settled.
        """
        for subject in subjects:
            self._check_result(subject)
        self._end_s = self._machine.clock_s() + self._timing.budget_s * len(subjects)
        while True:
            if self_check and self_check.failure:
                for subject in subjects:
                    subject.failure = subject.failure or f"the baseline could not be timed: {self_check.failure}"
            after_session()
            waiting = [subject for subject in subjects if subject.unfinished]
            if not waiting:
                return
            # Subjects with the fewest processes come first: a session may not have room for all.
            self._random.shuffle(waiting)
            waiting.sort(key=lambda subject: (subject is not self_check, len(subject.processes)))
            before = {id(subject): len(subject.processes) for subject in waiting}
            try:
                self._session(waiting)
            except TimingError as error:
                for subject in waiting:
                    subject.failure = f"the baseline could not be timed beside it: {error}"
            for subject in waiting:
                self._judge(subject)
                if len(subject.processes) > before[id(subject)] or not subject.unfinished:
                    self._tell(_progress_line(subject))
            left = sum(subject.unfinished for subject in subjects)
            if left:
                left_s = max(0.0, self._end_s - self._machine.clock_s())
                done = f"{len(subjects) - left} of {len(subjects)} done"
                self._tell(f"{done}, at most {left_s / 60:.0f} min left")

    def _check_result(self, subject: Subject) -> None:
        """Compare the runtime's result with eager fp32's on the photograph, in a fresh process."""
        lowered, is_fp32 = bool(self._runtime.get("lowered")), self._timing.precision == "fp32"
        is_reference = self._runtime["name"] == "eager" and is_fp32 and not lowered
        if subject.failure or is_reference or not self._has_checks:
            return
        try:
            check = self._ask_once("check", **self._job(subject.model, self._runtime))
        except TimingError as error:
            subject.failure = str(error)
            return
        subject.check = check
        psnr_db = check["psnr_db"]
        limit = MAX_LOWERED_ERROR if lowered and self._runtime["name"] == "eager" else MAX_ABS_ERROR
        if is_fp32 and check["max_abs_error"] > limit:
            as_written = " of the network as written" if lowered else ""
            subject.failure = (
                f"its result is off eager's{as_written} by {check['max_abs_error']:.2g}: expected {limit} at most"
            )
        if not is_fp32 and psnr_db is not None and psnr_db < MIN_PSNR_DB:
            subject.failure = f"its result has {psnr_db:.1f} dB against eager fp32's: expected {MIN_PSNR_DB} at least"

    def _session(self, waiting: Sequence[Subject]) -> None:
        """Start fresh processes for as many of `waiting` as there are room and time for, and time their rounds.

        Rounds end with the budget, too, once each network has as many as an interval needs.

        Raises:
            TimingError: the baseline failed.
        """
        waiting = self._that_fit(waiting)
        with contextlib.ExitStack() as stack:
            baseline = None
            if waiting and self._timing.paired:
                baseline, _ = self._start(stack, self._baseline.model, self._baseline.runtime)
            running: list[tuple[Subject, TimedProcess]] = []
            for subject in waiting:
                # Networks share a session only to share the baseline's time.
                full = len(running) >= (GROUP_SIZE if baseline else 1)
                if running and (full or self._machine.free_memory_share() < FREE_SHARE):
                    break
                try:
                    worker, process = self._start(stack, subject.model, self._runtime)
                except TimingError as error:
                    subject.failure = str(error)
                    continue
                subject.processes.append(process)
                running.append((subject, worker))
            rounds = self._timing.samples
            most = rounds if self._has_checks else 2 * rounds
            held = 0
            while running and held < rounds and not self._is_over(running):
                running = self._round(running, baseline)
                held += 1
                # Beside one file alone, a round that stayed disturbed is held again.
                if not self._has_checks and rounds < most and any(_last_is_disturbed(one) for one, _ in running):
                    rounds += 1

    def _that_fit(self, waiting: Sequence[Subject]) -> list[Subject]:
        """Those that were never timed, and those whose next process can be warm and called once within the budget.

        The others are stopped. What a process takes is known from the one before.
        """
        left_s = self._end_s - self._machine.clock_s()
        if self._timing.paired:
            left_s -= sum(self._cost_s.get(_way(self._baseline.model, self._baseline.runtime), (0.0, 0.0)))
        fitting = []
        for subject in waiting:
            cost_s = sum(self._cost_s.get(_way(subject.model, self._runtime), (0.0, 0.0)))
            if subject.processes and cost_s > left_s:
                subject.stopped = _SPENT
            else:
                fitting.append(subject)
                left_s -= cost_s
        return fitting

    def _is_over(self, running: Sequence[tuple[Subject, TimedProcess]]) -> bool:
        """Whether the budget is spent, and each network has a round in this process and enough for an interval."""
        return self._machine.clock_s() >= self._end_s and all(
            subject.processes[-1]["rounds"]
            and sum(len(process["rounds"]) for process in subject.processes) >= FEWEST_UNDISTURBED
            for subject, _ in running
        )

    def _start(
        self, stack: contextlib.ExitStack, model: Mapping[str, Any], runtime: Mapping[str, Any]
    ) -> tuple[TimedProcess, JsonObject]:
        """A fresh worker with `model` loaded and warm, and what its process measured so far."""
        start_s = self._machine.clock_s()
        worker = self._machine.start_worker()
        stack.callback(worker.close)
        loaded = worker.ask("load", **self._job(model, runtime))
        first, _ = self._call(worker, memory=True)
        calls = [first]
        while len(calls) <= self._timing.warm_up_calls and not _warm(calls):
            calls.append(self._call(worker)[0])
        warm_up_ms = [call["latency_ms"] for call in calls[1:]]
        self._cost_s[_way(model, runtime)] = (self._machine.clock_s() - start_s, calls[-1]["latency_ms"] / 1e3)
        process = {"loaded": loaded, "first_call": first, "warm_up_ms": warm_up_ms, "warm": _warm(calls)}
        return worker, process | {"rounds": [], "repeated_calls": []}

    def _round(
        self, running: list[tuple[Subject, TimedProcess]], baseline: TimedProcess | None
    ) -> list[tuple[Subject, TimedProcess]]:
        """Call each process once, in random order; returns those that did not fail."""
        order: list[tuple[Subject | None, TimedProcess]] = [*running]
        if baseline is not None:
            order.append((None, baseline))
        self._random.shuffle(order)
        baseline_call: JsonObject = {}
        calls: list[tuple[Subject, JsonObject]] = []
        for position, (subject, worker) in enumerate(order):
            try:
                call, repeated = self._call(worker, repeats=self._timing.repeats)
            except TimingError as error:
                if subject is None:
                    raise
                subject.failure = str(error)
                continue
            call["position"] = position
            if subject is None:
                baseline_call = {f"baseline_{name}": value for name, value in call.items()}
                baseline_call["baseline_repeated_calls"] = len(repeated)
            else:
                subject.processes[-1]["repeated_calls"] += repeated
                calls.append((subject, call))
        for subject, call in calls:
            subject.processes[-1]["rounds"].append(call | baseline_call)
        return [(subject, worker) for subject, worker in running if not subject.failure]

    def _call(
        self, worker: TimedProcess, *, memory: bool = False, repeats: int = 0
    ) -> tuple[JsonObject, list[JsonObject]]:
        """One call when the machine is as quiet as it gets, with its conditions; and the disturbed calls before it."""
        repeated: list[JsonObject] = []
        while True:
            quiet = self._gauge.wait_until_quiet() if self._gauge else None
            before, own_s = self._machine.snapshot(), self._machine.own_cpu_s()
            call = worker.ask("call", memory=memory)
            own_s = self._machine.own_cpu_s() - own_s + call["cpu_s"]
            after = self._machine.snapshot()
            during = self._gauge.since() if self._gauge else None
            around = conditions.between(before, after, own_s, (quiet, during))
            call["conditions"] = around.as_dict()
            if not around.disturbed_by or len(repeated) == repeats:
                return call, repeated
            repeated.append(call)

    def _judge(self, subject: Subject) -> None:
        """Stop a subject that is settled or out of budget, and say why."""
        if not subject.unfinished:
            return
        ratio = subject.speed_up()
        if ratio is None and len(subject.processes) >= self._timing.processes:
            subject.stopped = "all samples taken"
        elif ratio is not None and ratio.processes >= self._timing.processes and ratio.within(SETTLED):
            subject.stopped = f"interval within {SETTLED:.0%}"
        elif subject.processes and self._machine.clock_s() >= self._end_s:
            subject.stopped = _SPENT

    def _ask_once(self, command: str, **arguments: Any) -> JsonObject:
        """Send one command to a fresh worker, and end it."""
        worker = self._machine.start_worker()
        with contextlib.closing(worker):
            return worker.ask(command, **arguments)

    def _job(self, model: Mapping[str, Any], runtime: Mapping[str, Any]) -> JsonObject:
        """What a worker needs to know about a network and its measurement."""
        timing = self._timing
        names = ("precision", "layout", "seed", "width", "height", "photograph")
        settings = {name: getattr(timing, name) for name in names}
        return settings | {"model": dict(model), "runtime": dict(runtime), "threads": timing.used_threads}


def _progress_line(subject: Subject) -> str:
    """A subject's progress, on one line."""
    if subject.failure:
        return f"{subject.name}: failed: {subject.failure}"
    text = f"{subject.name}: {median([one.latency_ms for one in subject.rounds()]):.0f} ms"
    ratio = subject.speed_up()
    if ratio is not None:
        text += f", {ratio.median:.3f} times the baseline's speed ({ratio.low:.3f} to {ratio.high:.3f})"
    return f"{text}, {subject.stopped or 'to be continued'}"


def _way(model: Mapping[str, Any], runtime: Mapping[str, Any]) -> str:
    """A network in a runtime, as a key."""
    return f"{architecture_slug(architecture_of(model))} {dict(runtime)}"


def _last_is_disturbed(subject: Subject) -> bool:
    """Whether anything disturbed the newest round, after all repeated calls."""
    newest = subject.processes[-1]["rounds"][-1]
    return any(newest.get(name, {}).get("disturbed_by") for name in ("conditions", "baseline_conditions"))


def _warm(calls: Sequence[JsonObject]) -> bool:
    """Whether the last undisturbed calls are neither faster nor slower than those before."""
    quiet_ms = [call["latency_ms"] for call in calls if not call["conditions"]["disturbed_by"]]
    return is_warm(quiet_ms)


def is_warm(latencies_ms: Sequence[float]) -> bool:
    """Whether warm-up is over after these undisturbed calls, the cold one first."""
    before, last = latencies_ms[:-WARM_CALLS], latencies_ms[-WARM_CALLS:]
    return bool(before) and agree([min(before), min(last)], WARM_TOLERANCE)
