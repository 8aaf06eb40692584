"""How far a variant has come and what is still due, from its records alone.

This is decided here and nowhere else: `Plan` asks what to do, `status` asks what to show. It needs neither torch nor
data.
"""

from collections.abc import Sequence
from enum import Enum
from itertools import takewhile

from enhance_sweep.records.schema import TimedRecord, TrainedRecord
from enhance_sweep.settings import Retries
from enhance_sweep.sweep.failures import OUT_OF_MEMORY


class Standing(Enum):
    """How far a training or a timing has come."""

    MISSING = "there is no record"
    INTERRUPTED = "its record says running"
    FAILED = "it failed"
    SHORT = "trained for fewer steps than wanted"
    UNSCORED = "trained, without scores"
    DONE = "done"


def of_training(record: TrainedRecord | None, steps: int | None) -> Standing:
    """How far a training has come; `steps` are those wanted, None: as many as there are."""
    if record is None:
        return Standing.MISSING
    if record.status == "running":
        return Standing.INTERRUPTED
    if record.status == "failed":
        return Standing.FAILED
    if steps is not None and (record.steps or 0) < steps:
        return Standing.SHORT
    return Standing.DONE if record.scores else Standing.UNSCORED


def of_timing(record: TimedRecord | None) -> Standing:
    """How far a timing has come, from the record that `decisive` chose."""
    if record is None:
        return Standing.MISSING
    return Standing.FAILED if record.status == "failed" else Standing.DONE


def decisive(earlier: TimedRecord | None, later: TimedRecord) -> TimedRecord:
    """Which of two timings of one kind counts: a completed one even if a later one failed, else the later."""
    if earlier is None or later.status == "completed" or earlier.status == "failed":
        return later
    return earlier


def training_is_due(record: TrainedRecord | None, steps: int, retries: Retries, retry_failed: bool) -> bool:
    """Whether to train: unless it was trained for so many steps, or failed for good."""
    standing = of_training(record, steps)
    if standing is Standing.FAILED and record is not None:
        return retry_failed or record.retry or may_train_again(record, retries)
    return standing in (Standing.MISSING, Standing.INTERRUPTED, Standing.SHORT)


def may_train_again(record: TrainedRecord, retries: Retries) -> bool:
    """Whether a failed training is retried without being asked."""
    return retries.allow(record.failure, record.attempts.get(record.failure or "", 0))


def timing_is_due(timed: Sequence[TimedRecord], paired: bool, retries: Retries, retry_failed: bool) -> bool:
    """Whether to time, given the earlier timings of this kind, the oldest first.

    A quick look does not replace a timing that is `paired` with the baseline; a paired one stands, whatever came after.
    """
    if not timed or may_time_again(timed, retries):
        return True
    if timed[-1].status == "failed" and (retry_failed or timed[-1].retry):
        return True
    return paired and not any(record.baseline for record in timed)


def may_time_again(timed: Sequence[TimedRecord], retries: Retries) -> bool:
    """Whether a failed timing is retried without being asked.

    Out-of-memory timings are not retried: there is no batch to shrink.
    """
    failure = timed[-1].failure if timed[-1].status == "failed" else None
    if failure in (None, OUT_OF_MEMORY):
        return False
    of_this_class = takewhile(lambda record: record.failure == failure, reversed(timed))
    return retries.allow(failure, len(list(of_this_class)))
