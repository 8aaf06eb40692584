"""How architectures are timed: processes, warm-up, rounds, and when to stop.

A run times a list of architectures under one measurement. It works in sessions: each starts a fresh process for every
architecture that it takes up (and for the baseline), warms all up, and then calls them round by round in random order.
A call that something else disturbed is repeated. Between sessions an architecture is done once enough processes have
seen it and its speed-up's interval is narrow, or the budget is spent. In a paired run the baseline against itself is in
the first sessions, until its interval is narrow, and says whether the run can be believed.
"""

import contextlib
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from enhance_sweep.paper.baseline import BASELINE
from enhance_sweep.records.keys import architecture_of
from enhance_sweep.records.schema import TimedRecord
from enhance_sweep.settings import TimingSettings
from enhance_sweep.stats.speed_up import Ratio
from enhance_sweep.system.environment import cost_of_precision
from enhance_sweep.system.locks import host_lock
from enhance_sweep.timing import conditions
from enhance_sweep.timing.gauge import Gauge
from enhance_sweep.timing.machine import Machine, TimedProcess
from enhance_sweep.timing.process import TimingError
from enhance_sweep.timing.recording import SETTLED, measurement_of, record
from enhance_sweep.timing.statistics import agree, median
from enhance_sweep.timing.subject import JsonObject, Subject

__all__ = ["BASELINE", "Run", "architecture_of", "measurement_of", "time_variant", "time_variants"]

#: Warm-up ends when this many undisturbed calls in a row, the first included, agree within this share.
WARM_CALLS, WARM_TOLERANCE = 3, 0.05
#: At most so many networks are held in memory at once, and no further one while less than this share of it is free.
GROUP_SIZE, FREE_SHARE = 5, 0.5
#: What a runtime's result may differ from eager fp32's by: all values in fp32, the PSNR of the clipped image in bf16.
MAX_ABS_ERROR, MIN_PSNR_DB = 1e-3, 40.0


def time_variant(model: Mapping[str, Any], timing: TimingSettings, runtime: Mapping[str, Any]) -> TimedRecord:
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
    *,
    machine: Machine | None = None,
    tell: Callable[[str], None] = lambda line: None,
    done: Callable[[TimedRecord], None] = lambda record: None,
) -> list[TimedRecord]:
    """Time several architectures in one run, under the host's lock.

    Args:
        models: networks' configurations, each once.
        timing: how to measure.
        runtime: a runtime's configuration.
        machine: the real one unless given.
        tell: takes a line of progress now and then.
        done: takes each record as soon as it is complete, so that a run cut short loses only the others.

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


class Run:
    """One timing run: what its sessions share, and what it found out about itself.

    Attributes:
        baseline_check: the baseline's speed-up over itself; None where it was not paired.
        arithmetic_limit: what the cores reach in a large matrix product, `fp32_gflops` and, where it was measured,
            `bf16_gflops`.
    """

    def __init__(
        self, timing: TimingSettings, runtime: Mapping[str, Any], machine: Machine, tell: Callable[[str], None]
    ) -> None:
        """Hold what all sessions need; `time` does the work."""
        self._timing, self._runtime, self._machine, self._tell = timing, runtime, machine, tell
        self._random = random.Random(timing.seed)
        self.baseline_check: Ratio | None = None
        self.arithmetic_limit: JsonObject | None = None
        self._gauge: Gauge | None = None

    def time(self, subjects: Sequence[Subject], finish: Callable[[Subject], None]) -> None:
        """Time all subjects, the baseline against itself among the first; `finish` takes each that is done.

        None is finished before that check is: every record says what came of it.
        """
        itself: Subject | None = None
        if cost := cost_of_precision(self._timing.precision):
            self._tell(cost)
        if self._timing.paired:
            self.arithmetic_limit = self._ask_once(
                "limit", threads=self._timing.used_threads, precision=self._timing.precision
            )
            baseline = architecture_of(BASELINE)
            itself = next((one for one in subjects if one.architecture == baseline), Subject(BASELINE))
            subjects = [itself, *(one for one in subjects if one is not itself)]
        finished: list[int] = []

        def finish_stopped() -> None:
            if itself is None or not itself.waits:
                self.baseline_check = itself.speed_up() if itself else None
                for subject in subjects:
                    if not subject.waits and id(subject) not in finished:
                        finished.append(id(subject))
                        finish(subject)

        try:
            with contextlib.ExitStack() as stack:
                if self._timing.paired:
                    probe, sentinels = self._machine.start_worker(), self._machine.start_sentinels()
                    stack.callback(probe.close)
                    stack.callback(sentinels.close)
                    self._gauge = Gauge(probe, sentinels, self._machine.clock_s)
                self._until_settled(subjects, itself, finish_stopped)
        except KeyboardInterrupt:
            # What was measured so far is worth keeping: its interval says how much it is worth.
            for subject in subjects:
                if subject.waits and subject.rounds():
                    subject.stopped = "interrupted"
            if itself is None or itself.stopped:
                subjects = [subject for subject in subjects if not subject.waits]
                finish_stopped()
            raise

    def _until_settled(
        self, subjects: Sequence[Subject], itself: Subject | None, after_session: Callable[[], None]
    ) -> None:
        """Hold sessions until every subject is settled, has failed, or the budget is spent.

        The check of the baseline against `itself` is in every session until it is settled.
        """
        for subject in subjects:
            self._check_result(subject)
        end_s = self._machine.clock_s() + self._timing.budget_s * len(subjects)
        while True:
            if itself and itself.failure:
                for subject in subjects:
                    subject.failure = subject.failure or f"the baseline could not be timed: {itself.failure}"
            after_session()
            waiting = [subject for subject in subjects if subject.waits]
            if not waiting:
                return
            # Who has been seen least comes first: a session may have no room for all.
            self._random.shuffle(waiting)
            waiting.sort(key=lambda subject: (subject is not itself, len(subject.processes)))
            before = {id(subject): len(subject.processes) for subject in waiting}
            try:
                self._session(waiting)
            except TimingError as error:
                for subject in waiting:
                    subject.failure = f"the baseline could not be timed beside it: {error}"
            for subject in waiting:
                self._judge(subject, end_s)
                if len(subject.processes) > before[id(subject)] or not subject.waits:
                    self._tell(_standing(subject))
            left = sum(subject.waits for subject in subjects)
            if left:
                left_s = max(0.0, end_s - self._machine.clock_s())
                done = f"{len(subjects) - left} of {len(subjects)} done"
                self._tell(f"{done}, at most {left_s / 60:.0f} min left")

    def _check_result(self, subject: Subject) -> None:
        """Compare the runtime's result with eager fp32's on the photograph, in a process of its own."""
        if subject.failure or (self._runtime["name"] == "eager" and self._timing.precision == "fp32"):
            return
        try:
            check = self._ask_once("check", **self._job(subject.model))
        except TimingError as error:
            subject.failure = str(error)
            return
        subject.check = check
        psnr_db = check["psnr_db"]
        if self._timing.precision == "fp32" and check["max_abs_error"] > MAX_ABS_ERROR:
            subject.failure = (
                f"its result is {check['max_abs_error']:.2g} off eager's: expected {MAX_ABS_ERROR} at most"
            )
        if self._timing.precision != "fp32" and psnr_db is not None and psnr_db < MIN_PSNR_DB:
            subject.failure = f"its result has {psnr_db:.1f} dB against eager fp32's: expected {MIN_PSNR_DB} at least"

    def _session(self, waiting: Sequence[Subject]) -> None:
        """Fresh processes for as many of `waiting` as there is room for, and their rounds.

        Raises:
            TimingError: the baseline failed.
        """
        with contextlib.ExitStack() as stack:
            baseline = self._start(stack, BASELINE)[0] if waiting and self._timing.paired else None
            running: list[tuple[Subject, TimedProcess]] = []
            for subject in waiting:
                # Alone, a network needs no others beside it: only the baseline's time is worth sharing.
                full = len(running) >= (GROUP_SIZE if baseline else 1)
                if running and (full or self._machine.free_memory_share() < FREE_SHARE):
                    break
                try:
                    worker, process = self._start(stack, subject.model)
                except TimingError as error:
                    subject.failure = str(error)
                    continue
                subject.processes.append(process)
                running.append((subject, worker))
            for _ in range(self._timing.samples):
                running = self._round(running, baseline)

    def _start(self, stack: contextlib.ExitStack, model: Mapping[str, Any]) -> tuple[TimedProcess, JsonObject]:
        """A fresh worker with `model` loaded and warm, and what its process has shown by then."""
        worker = self._machine.start_worker()
        stack.callback(worker.close)
        loaded = worker.ask("load", **self._job(model))
        first, _ = self._call(worker, memory=True)
        calls = [first]
        while len(calls) <= self._timing.warm_up_calls and not _warm(calls):
            calls.append(self._call(worker)[0])
        warm_up_ms = [call["latency_ms"] for call in calls[1:]]
        process = {"loaded": loaded, "first_call": first, "warm_up_ms": warm_up_ms, "warm": _warm(calls)}
        return worker, process | {"rounds": [], "repeated_calls": []}

    def _round(
        self, running: list[tuple[Subject, TimedProcess]], baseline: TimedProcess | None
    ) -> list[tuple[Subject, TimedProcess]]:
        """Call everybody once in random order; gives who is still there."""
        order: list[tuple[Subject | None, TimedProcess]] = [*running]
        if baseline is not None:
            order.append((None, baseline))
        self._random.shuffle(order)
        beside: JsonObject = {}
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
                beside = {f"baseline_{name}": value for name, value in call.items()}
                beside["baseline_repeated_calls"] = len(repeated)
            else:
                subject.processes[-1]["repeated_calls"] += repeated
                calls.append((subject, call))
        for subject, call in calls:
            subject.processes[-1]["rounds"].append(call | beside)
        return [(subject, worker) for subject, worker in running if not subject.failure]

    def _call(
        self, worker: TimedProcess, *, memory: bool = False, repeats: int = 0
    ) -> tuple[JsonObject, list[JsonObject]]:
        """One call on a machine as quiet as can be had, with its conditions; and those that it repeats."""
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

    def _judge(self, subject: Subject, end_s: float) -> None:
        """Stop a subject that is settled or out of budget, with the reason."""
        if subject.failure:
            return
        ratio = subject.speed_up()
        if ratio is None and len(subject.processes) >= self._timing.processes:
            subject.stopped = "all samples taken"
        elif ratio is not None and ratio.processes >= self._timing.processes and ratio.within(SETTLED):
            subject.stopped = f"interval within {SETTLED:.0%}"
        elif subject.processes and self._machine.clock_s() >= end_s:
            subject.stopped = "budget spent"

    def _ask_once(self, command: str, **arguments: Any) -> JsonObject:
        """Ask a fresh worker one thing, and end it."""
        worker = self._machine.start_worker()
        with contextlib.closing(worker):
            return worker.ask(command, **arguments)

    def _job(self, model: Mapping[str, Any]) -> JsonObject:
        """What a worker needs to know of a network and how it is measured."""
        timing = self._timing
        names = ("precision", "layout", "seed", "width", "height", "photograph")
        settings = {name: getattr(timing, name) for name in names}
        return settings | {"model": dict(model), "runtime": dict(self._runtime), "threads": timing.used_threads}


def _standing(subject: Subject) -> str:
    """How a subject stands, in a line."""
    if subject.failure:
        return f"{subject.name}: failed: {subject.failure}"
    text = f"{subject.name}: {median([one.latency_ms for one in subject.rounds()]):.0f} ms"
    ratio = subject.speed_up()
    if ratio is not None:
        text += f", {ratio.median:.3f} times the baseline's speed ({ratio.low:.3f} to {ratio.high:.3f})"
    return f"{text}, {subject.stopped or 'to be continued'}"


def _warm(calls: Sequence[JsonObject]) -> bool:
    """Whether the last undisturbed calls agree."""
    quiet_ms = [call["latency_ms"] for call in calls if not call["conditions"]["disturbed_by"]]
    return len(quiet_ms) >= WARM_CALLS and agree(quiet_ms[-WARM_CALLS:], WARM_TOLERANCE)
