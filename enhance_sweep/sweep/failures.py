"""Why a variant failed, in five classes, and how often each is tried again.

A class is what a person would do next: lower the learning rate, find memory, mend the data, start again, report a bug.
"""

from collections.abc import Mapping
from typing import Any

from enhance_sweep.data.pairs import DataError
from enhance_sweep.training.errors import DivergedError

DIVERGED, OUT_OF_MEMORY, DATA_ERROR, INTERRUPTED, BUG = "diverged", "out_of_memory", "data_error", "interrupted", "bug"

#: What torch says where it has no class of its own for it.
_NO_MEMORY = ("can't allocate memory", "out of memory", "cannot allocate memory", "not enough memory")
#: The kernel kills so whom it finds when memory ends; nobody else does that to a timing's process.
_KILLED = "killed by signal 9"


def classify(error: BaseException) -> str:
    """The class of an exception."""
    if isinstance(error, DivergedError):
        return DIVERGED
    if isinstance(error, MemoryError) or _is_of_memory(str(error)):
        return OUT_OF_MEMORY
    return DATA_ERROR if isinstance(error, DataError) else BUG


def classify_timing(reason: str) -> str:
    """The class of a timing's failure, from what its process left behind."""
    return OUT_OF_MEMORY if _KILLED in reason.lower() or _is_of_memory(reason) else BUG


def reason_of(error: BaseException) -> str:
    """One line for a record, whatever the lines of what was raised."""
    name = DIVERGED if isinstance(error, DivergedError) else type(error).__name__
    words = " ".join(str(error).split())
    return f"{name}: {words}" if words else name


def attempts_after(attempts: Mapping[str, Any] | None, failure: str) -> dict[str, int]:
    """How often each class has failed, with one more."""
    counted = {str(name): int(count) for name, count in (attempts or {}).items()}
    return counted | {failure: counted.get(failure, 0) + 1}


def _is_of_memory(text: str) -> bool:
    return any(words in text.lower() for words in _NO_MEMORY)
