"""Work in a second process beside this one."""

import os
import pickle
from collections.abc import Callable
from typing import TypeVar

_Found = TypeVar("_Found")


def beside(work: Callable[[], _Found], if_worth: bool = True) -> Callable[[], _Found]:
    """Start `work` in a copy of this process; the function that is returned waits for what it finds.

    The copy has all that this process has, so only the result is handed over; it must be one that can be pickled. Where
    there is a single core or no such copy (it is Linux's), or where the copy fails, the function returned does the
    work, and raises what it raises.

    Args:
        work: what to do.
        if_worth: whether it is worth a second process, whose start and result take some hundredths of a second.
    """
    if not if_worth or not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2:
        return work
    reading, writing = os.pipe()
    copy = os.fork()
    if not copy:
        try:
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(work(), pipe, protocol=pickle.HIGHEST_PROTOCOL)
        finally:
            os._exit(0)  # nothing of the first process is closed, written or said twice
    os.close(writing)

    def found() -> _Found:
        try:
            with os.fdopen(reading, "rb") as pipe:
                result: _Found = pickle.load(pipe)
        except (EOFError, pickle.UnpicklingError):  # cut short: the copy has failed, or was killed
            result = work()
        os.waitpid(copy, 0)
        return result

    return found
