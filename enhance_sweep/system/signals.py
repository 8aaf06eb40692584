"""Ctrl-C and a polite kill (SIGTERM) let the step at hand end and be saved."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

#: What is said where a process ends because it was asked to.
STOPPED = "stopped; the same command again goes on from here"


class StoppedError(BaseException):
    """This process was asked to stop, and has saved what it had: not a failure, so not an `Exception`."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(f"stopped by {number.name}")
        #: What a shell expects of a process that ended so.
        self.exit_status = 128 + number


class Interruption:
    """Whether this process has been asked to stop, and by which signal."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def stop_if_asked(self) -> None:
        """For where all is saved. Raises `StoppedError`."""
        if self.signal is not None:
            raise StoppedError(self.signal)


@contextmanager
def stopping_gently() -> Iterator[Interruption]:
    """Hold the first signal back while inside, for `stop_if_asked`; a second one does what it always did.

    Nothing is held back where somebody else handles signals already, nor in a thread that is not the main one.
    """
    asked = Interruption()
    defaults = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    main = threading.current_thread() is threading.main_thread()
    ours = {number: handler for number, handler in defaults.items() if main and signal.getsignal(number) == handler}

    def hold(number: int, frame: FrameType | None) -> None:
        asked.signal = signal.Signals(number)
        print("\nstopping after this step; once more to stop at once", file=sys.stderr, flush=True)
        for one, handler in ours.items():
            signal.signal(one, handler)

    for number in ours:
        signal.signal(number, hold)
    try:
        yield asked
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)
