"""Classes of failure, and how often each is tried again."""

import pytest

from enhance_sweep.config import ConfigError, compose_settings
from enhance_sweep.data.pairs import DataError
from enhance_sweep.settings import Retries
from enhance_sweep.sweep.failures import attempts_after, classify, classify_timing, reason_of
from enhance_sweep.training.errors import DivergedError


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (DivergedError("the loss is nan at step 12"), "diverged"),
        (MemoryError(), "out_of_memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), "out_of_memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), "out_of_memory"),
        (OSError(12, "Cannot allocate memory"), "out_of_memory"),
        (DataError("beach.jpg cannot be read"), "data_error"),
        (KeyError("weights"), "bug"),
    ],
)
def test_an_exception_has_a_class(error: Exception, failure: str) -> None:
    assert classify(error) == failure


@pytest.mark.parametrize(
    ("reason", "failure"),
    [
        ("the process that timed it was killed by signal 9", "out_of_memory"),
        ("RuntimeError: can't allocate memory", "out_of_memory"),
        ("its result differs from eager's by 0.5", "bug"),
    ],
)
def test_a_timings_reason_has_a_class(reason: str, failure: str) -> None:
    assert classify_timing(reason) == failure


def test_a_reason_is_one_line_and_names_its_class_once() -> None:
    assert reason_of(RuntimeError("cannot load:\n\tsize mismatch\n")) == "RuntimeError: cannot load: size mismatch"
    assert reason_of(DivergedError("the loss is nan")) == "diverged: the loss is nan"
    assert reason_of(KeyError("x")) == "KeyError: 'x'"
    assert reason_of(MemoryError()) == "MemoryError"


def test_attempts_are_counted_by_class() -> None:
    once = attempts_after({}, "bug")
    assert attempts_after(attempts_after(once, "bug"), "diverged") == {"bug": 2, "diverged": 1}


@pytest.mark.parametrize(
    ("failure", "attempts", "again"),
    [
        *[("bug", 1, True), ("bug", 2, False), ("diverged", 1, False), ("interrupted", 1000, True)],
        *[(None, 0, False), (None, 1, False), ("flood", 0, False)],  # of an unknown class
    ],
)
def test_a_limit_counts_what_is_tried_again(failure: str | None, attempts: int, again: bool) -> None:
    assert Retries().allow(failure, attempts) == again


def test_the_configuration_has_the_same_defaults_and_refuses_nonsense() -> None:
    assert compose_settings().retries == Retries()
    with pytest.raises(ConfigError, match=r"retries.bug: expected at least 0, or null for no limit, got -1"):
        compose_settings(["retries.bug=-1"])
