"""How architectures are timed: processes, warm-up, rounds, and when to stop.

A run times a list of architectures under one measurement. It works in sessions: each starts a fresh process for every
architecture that it takes up (and for the baseline), warms all up, and then calls them round by round in random order.
A round that something else disturbed is repeated. Between sessions an architecture is done once enough processes have
seen it and its speed-up's interval is narrow, or the budget is spent. The first thing that a paired run times is the
baseline against itself.
"""

import contextlib
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from enhance_sweep.speed_up import Ratio
from enhance_sweep.timing import conditions
from enhance_sweep.timing.lock import host_lock
from enhance_sweep.timing.machine import Machine, TimedProcess
from enhance_sweep.timing.process import TimingError
from enhance_sweep.timing.recording import SETTLED, measurement_of, record
from enhance_sweep.timing.settings import TimingSettings
from enhance_sweep.timing.statistics import agree, median
from enhance_sweep.timing.subject import BASELINE, JsonObject, Subject, architecture_of

__all__ = ["BASELINE", "Run", "architecture_of", "measurement_of", "time_variant", "time_variants"]

#: Warm-up ends when this many calls in a row, the first included, agree within this share.
WARM_CALLS, WARM_TOLERANCE = 3, 0.05
#: The baseline against itself may take this share of a run's whole budget: every record of the run rests on it.
CHECK_SHARE = 0.1
#: At most so many networks are held in memory at once, and no further one while less than this share of it is free.
GROUP_SIZE, FREE_SHARE = 5, 0.5
#: What a runtime's result may differ from eager fp32's by: all values in fp32, the PSNR of the clipped image in bf16.
MAX_ABS_ERROR, MIN_PSNR_DB = 1e-3, 40.0


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
    *,
    machine: Machine | None = None,
    tell: Callable[[str], None] = lambda line: None,
    done: Callable[[JsonObject], None] = lambda record: None,
) -> list[JsonObject]:
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
    records: dict[int, JsonObject] = {}
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
        arithmetic_limit: what the cores reach in a large matrix product, `fp32_gflops` and `bf16_gflops`.
    """

    def __init__(
        self, timing: TimingSettings, runtime: Mapping[str, Any], machine: Machine, tell: Callable[[str], None]
    ) -> None:
        """Hold what all sessions need; `time` does the work."""
        self._timing, self._runtime, self._machine, self._tell = timing, runtime, machine, tell
        self._random = random.Random(timing.seed)
        self.baseline_check: Ratio | None = None
        self.arithmetic_limit: JsonObject | None = None

    def time(self, subjects: Sequence[Subject], finish: Callable[[Subject], None]) -> None:
        """Time all subjects, the baseline against itself before them; `finish` takes each that is done."""
        if self._timing.paired:
            self.arithmetic_limit = self._ask_once("limit", threads=self._timing.used_threads)
            baseline = architecture_of(BASELINE)
            itself = next((one for one in subjects if one.architecture == baseline), Subject(BASELINE))
            budget_s = self._timing.budget_s * max(1.0, CHECK_SHARE * len(subjects))
            self._until_settled([itself], lambda subject: None, budget_s)
            self.baseline_check = itself.speed_up()
            for subject in subjects if itself.failure else []:
                subject.failure = f"the baseline could not be timed: {itself.failure}"
            finish(itself)
            subjects = [one for one in subjects if one is not itself]
        finished: list[int] = []

        def finish_once(subject: Subject) -> None:
            finished.append(id(subject))
            finish(subject)

        try:
            self._until_settled(subjects, finish_once, self._timing.budget_s * len(subjects))
        except KeyboardInterrupt:
            # What was measured so far is worth keeping: its interval says how much it is worth.
            for subject in [one for one in subjects if one.rounds() and id(one) not in finished]:
                subject.stopped = "interrupted"
                finish(subject)
            raise

    def _until_settled(self, subjects: Sequence[Subject], finish: Callable[[Subject], None], budget_s: float) -> None:
        """Hold sessions until every subject is settled, has failed, or `budget_s` is spent."""
        for subject in subjects:
            self._check_result(subject)
        end_s = self._machine.clock_s() + budget_s
        unfinished = list(subjects)
        while unfinished:
            waiting = [subject for subject in unfinished if subject.waits]
            # Who has been seen least comes first: a session may have no room for all.
            self._random.shuffle(waiting)
            waiting.sort(key=lambda subject: len(subject.processes))
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
            for subject in unfinished:
                if not subject.waits:
                    finish(subject)
            unfinished = [subject for subject in unfinished if subject.waits]
            if unfinished:
                left_s = max(0.0, end_s - self._machine.clock_s())
                self._tell(
                    f"{len(subjects) - len(unfinished)} of {len(subjects)} done, at most {left_s / 60:.0f} min left"
                )

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
        first = worker.ask("call", memory=True)
        calls = [first["latency_ms"]]
        while len(calls) <= self._timing.warm_up_calls and not _warm(calls):
            calls.append(worker.ask("call", memory=False)["latency_ms"])
        process = {"loaded": loaded, "first_call": first, "warm_up_ms": calls[1:], "warm": _warm(calls)}
        return worker, process | {"rounds": [], "repeated_rounds": []}

    def _round(
        self, running: list[tuple[Subject, TimedProcess]], baseline: TimedProcess | None
    ) -> list[tuple[Subject, TimedProcess]]:
        """Call everybody once in random order, again where something disturbed it; gives who is still there."""
        for attempt in range(self._timing.repeats + 1):
            if not running:
                break
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
        if subject.failure:
            return
        ratio = subject.speed_up()
        if len(subject.processes) >= self._timing.processes and ratio is None:
            subject.stopped = "all samples taken"
        elif len(subject.processes) >= self._timing.processes and ratio is not None and ratio.within(SETTLED):
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
    text = f"{subject.name}: {median([one['latency_ms'] for one in subject.rounds()]):.0f} ms"
    ratio = subject.speed_up()
    if ratio is not None:
        text += f", {ratio.median:.3f} times the baseline's speed ({ratio.low:.3f} to {ratio.high:.3f})"
    return f"{text}, {subject.stopped or 'to be continued'}"


def _warm(calls: Sequence[float]) -> bool:
    return len(calls) >= WARM_CALLS and agree(calls[-WARM_CALLS:], WARM_TOLERANCE)
