"""What is still due, decided from records alone."""

from typing import Any

import msgspec
import pytest

from enhance_sweep.records.schema import TimedRecord, TrainedRecord, from_builtins
from enhance_sweep.settings import Retries
from enhance_sweep.sweep.standing import (
    Standing,
    decisive,
    may_time_again,
    of_timing,
    of_training,
    timing_is_due,
    training_is_due,
)

COMMON = {
    "schema": 1, "key": "k", "architecture_key": "a", "architecture": {"topology": "plain"},
    "description": {"parameters": 1, "macs": 1},
}  # fmt: skip
LEARNED = {"dataset": "photos", "data_fingerprint": "aaaa", "loss": "fidelity", "seed": 0}
MEASUREMENT = {
    "runtime": "eager", "precision": "fp32", "size": [1280, 720], "threads": 2, "allocator": "tuned", "host": "here"
}  # fmt: skip


def trained(**changes: Any) -> TrainedRecord:
    record = COMMON | {"kind": "trained", "environment": {}, "learned_from": LEARNED, "status": "failed"} | changes
    return msgspec.convert(record, TrainedRecord, dec_hook=from_builtins)


def timed(**changes: Any) -> TimedRecord:
    record = COMMON | {"kind": "timed", "measurement": MEASUREMENT, "status": "failed"} | changes
    return msgspec.convert(record, TimedRecord)


DONE = {"status": "completed", "steps": 300, "scores": {"ms_ssim": 0.9}}
COMPLETED, CAREFUL = (timed(status="completed", latency_ms_median=1.0, baseline=key) for key in (None, "baseline"))
BUG, MEMORY, MARKED = timed(failure="bug"), timed(failure="out_of_memory"), timed(failure="out_of_memory", retry=True)


@pytest.mark.parametrize(
    ("record", "steps", "reached", "due"),
    [
        (None, 300, Standing.MISSING, True),
        (trained(status="running"), 300, Standing.INTERRUPTED, True),
        (trained(**DONE), 300, Standing.DONE, False),
        (trained(**DONE), 200, Standing.DONE, False),
        (trained(**DONE), 301, Standing.SHORT, True),
        (trained(**DONE | {"scores": None}), 300, Standing.UNSCORED, False),
        (trained(failure="bug", attempts={"bug": 1}), 300, Standing.FAILED, True),
        (trained(failure="bug", attempts={"bug": 2}), 300, Standing.FAILED, False),
        (trained(failure="bug", attempts={"bug": 2}, retry=True), 300, Standing.FAILED, True),
        (trained(), 300, Standing.FAILED, False),
    ],
)
def test_a_training_is_due_until_it_is_long_enough_or_failed_for_good(
    record: TrainedRecord | None, steps: int, reached: Standing, due: bool
) -> None:
    assert of_training(record, steps) is reached
    assert training_is_due(record, steps, Retries(), retry_failed=False) == due
    failed = reached is Standing.FAILED
    assert training_is_due(record, steps, Retries(), retry_failed=True) == (due or failed)


@pytest.mark.parametrize(
    ("earlier", "again"),
    [
        ([BUG], True),
        ([BUG, BUG], False),
        ([BUG, BUG, COMPLETED, BUG], True),
        ([BUG, MEMORY, BUG], True),
        ([BUG, COMPLETED], False),
        ([MEMORY], False),
    ],
)
def test_failed_timings_count_since_the_last_that_ended_otherwise(earlier: list[TimedRecord], again: bool) -> None:
    assert may_time_again(earlier, Retries()) == again
    assert timing_is_due(earlier, False, Retries(), retry_failed=False) == again


def test_a_failed_timing_is_due_again_when_asked_for() -> None:
    assert timing_is_due([MEMORY], False, Retries(), retry_failed=True)
    assert timing_is_due([MARKED], False, Retries(), retry_failed=False)
    assert not timing_is_due([MEMORY, COMPLETED], False, Retries(), retry_failed=True)


def test_a_careful_timing_stands_whatever_quick_look_came_after_it() -> None:
    for earlier, due in (([], True), ([COMPLETED], True), ([COMPLETED, CAREFUL], False), ([CAREFUL, COMPLETED], False)):
        assert timing_is_due(earlier, True, Retries(), retry_failed=False) == due


def test_a_completed_timing_counts_more_than_a_later_failure() -> None:
    assert decisive(None, BUG) is BUG
    assert decisive(BUG, MEMORY) is MEMORY
    assert decisive(COMPLETED, BUG) is COMPLETED
    assert of_timing(decisive(BUG, COMPLETED)) is Standing.DONE
    assert of_timing(BUG) is Standing.FAILED
    assert of_timing(None) is Standing.MISSING
