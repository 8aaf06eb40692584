"""One variant from its settings to its records: train, evaluate, time."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from enhance_sweep.records.schema import TimedRecord, TrainedRecord
from enhance_sweep.records.store import GENERATOR_FILE, write_timed
from enhance_sweep.settings import Settings
from enhance_sweep.sweep.failures import classify_timing
from enhance_sweep.sweep.learning import evaluate, tell_cost, train
from enhance_sweep.sweep.plan import Plan, plan_variant
from enhance_sweep.system.files import remove_leftovers
from enhance_sweep.system.leases import HeldError, LostError, lease
from enhance_sweep.system.locks import host_lock
from enhance_sweep.timing.protocol import time_variant


def run_variant(settings: Settings) -> dict[str, Any]:
    """Run the stages that are still due, and write the records.

    A failure while training, scoring or timing goes into the variant's record and is not raised: a sweep goes on. It
    is retried as often as `retries` says.

    Returns:
        `name`, `status` (completed, failed, or held: another process works on it), `reason`, `failure`: the class of a
        failure, `stages`: those that were run, in turn, `took_s`: the seconds of each, and `kept`: what stands instead
        of what was asked for, if anything.

    Raises:
        ConfigError, DataError: before anything is computed.
        NoSpaceError: the disk is full.
        StoppedError: this process was asked to stop; what it had is saved.
    """
    plan = plan_variant(settings)
    stages = _Stages()
    outcome = {
        "name": plan.name,
        "status": "completed",
        "reason": None,
        "failure": None,
        "stages": stages.names,
        "took_s": stages.seconds,
        "kept": _kept(plan),
    }
    try:
        record = _learn(plan, stages)
        timed = _time(plan, stages)
    except (HeldError, LostError) as error:
        return outcome | {"status": "held", "reason": str(error)}
    if "evaluate" in settings.stages and (record is None or record.status == "running"):
        said = f"there is no finished training to evaluate: say stages=[{','.join(['train', *settings.stages])}]"
        outcome |= {"status": "failed", "reason": said}
    for one in (record, timed):
        if one is not None and one.status == "failed":
            outcome |= {"status": "failed", "reason": one.reason, "failure": one.failure}
    return outcome


def _kept(plan: Plan) -> str | None:
    """What to say where a longer training than the one asked for is there already, or no weights to score."""
    record = plan.trained_record()
    if record is None or record.status != "completed":
        return None
    if (record.steps or 0) > plan.max_steps:
        return f"nothing: it has been trained for {record.steps} steps already"
    lacks = record.scores is not None and record.scores.lacks_measures
    if lacks and "evaluate" in plan.settings.stages and not (plan.folder / GENERATOR_FILE).is_file():
        return f"nothing: it lacks scores, and the weights to compute them ({GENERATOR_FILE}) are not there"
    return None


class _Stages:
    """The stages that were run, and the seconds that each took."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.seconds: list[float] = []

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Put around one of them."""
        self.names.append(stage)
        clock = time.monotonic()
        try:
            yield
        finally:
            self.seconds.append(round(time.monotonic() - clock, 3))


def _learn(plan: Plan, stages: _Stages) -> TrainedRecord | None:
    """Train and evaluate as far as due, with retries. Returns the record; None where there is no training."""
    if not (plan.needs_training() or plan.needs_evaluation()):
        return plan.trained_record()
    afresh = plan.settings.retry_failed
    with lease(plan.runs_dir, plan.key, "train") as held:
        remove_leftovers(plan.folder)
        while True:
            record = plan.trained_record()  # another process may have done it before the lease was taken
            if plan.needs_training():
                with host_lock(shared=True), stages("train"):  # no network is timed beside a training
                    record = train(plan, held, afresh)
            if record is not None and plan.needs_evaluation():
                with host_lock(shared=True), stages("evaluate"):
                    record = evaluate(plan, held, record)
            if record is None or record.status != "failed" or not plan.may_train_again(record):
                return record
            afresh = False
            print(f"{plan.name}: {record.reason}: trying again", file=sys.stderr, flush=True)


def _time(plan: Plan, stages: _Stages) -> TimedRecord | None:
    """Time as far as due, with retries. Returns the newest record; None where nothing is to be timed."""
    if "time" not in plan.settings.stages:
        return None
    timing = plan.settings.timing
    if plan.needs_timing():
        with lease(plan.runs_dir, plan.measured_key, "time") as held:
            remove_leftovers(plan.runs_dir / "timed" / plan.measured_key)
            due = plan.needs_timing()  # another process may have done it before the lease was taken
            while due:
                print(f"{plan.name}: timing at {timing.width}x{timing.height} ...", file=sys.stderr, flush=True)
                tell_cost(plan, timing.precision)
                with stages("time"):
                    timed = time_variant(plan.settings.model, timing, plan.settings.runtime)
                if timed.status == "failed":
                    timed = msgspec.structs.replace(timed, failure=classify_timing(str(timed.reason)))
                held.check()
                write_timed(plan.runs_dir, timed)
                due = plan.may_time_again()
    if plan.needs_baseline():
        _time(plan.baseline(), stages)
    return plan.timed_records()[-1]
