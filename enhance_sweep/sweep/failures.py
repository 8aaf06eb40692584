"""Why a variant failed, in five classes.

A class tells a person what to do next: lower the learning rate, find memory, mend the data, start again, report a bug.
"""

from collections.abc import Mapping

from enhance_sweep.data.pairs import DataError
from enhance_sweep.training.errors import DivergedError

DIVERGED, OUT_OF_MEMORY, DATA_ERROR, INTERRUPTED, BUG = "diverged", "out_of_memory", "data_error", "interrupted", "bug"

#: Texts of torch's errors that have no class of their own.
_NO_MEMORY = ("can't allocate memory", "out of memory", "cannot allocate memory", "not enough memory")
#: How the kernel kills when memory runs out; nothing else kills a timing's process like that.
_KILLED = "killed by signal 9"


def classify(error: BaseException) -> str:
    """The class of an exception."""
    if isinstance(error, DivergedError):
        return DIVERGED
    if isinstance(error, MemoryError) or _means_no_memory(str(error)):
        return OUT_OF_MEMORY
    return DATA_ERROR if isinstance(error, DataError) else BUG


def classify_timing(reason: str) -> str:
    """The class of a timing's failure, from its reason."""
    return OUT_OF_MEMORY if _KILLED in reason.lower() or _means_no_memory(reason) else BUG


def reason_of(error: BaseException) -> str:
    """An exception as one line for a record."""
    name = DIVERGED if isinstance(error, DivergedError) else type(error).__name__
    words = " ".join(str(error).split())
    return f"{name}: {words}" if words else name


def attempts_after(attempts: Mapping[str, int], failure: str) -> dict[str, int]:
    """How often each class has failed, after one more failure."""
    return {**attempts, failure: attempts.get(failure, 0) + 1}


def _means_no_memory(text: str) -> bool:
    return any(words in text.lower() for words in _NO_MEMORY)
