"""On Ctrl-C or SIGTERM, finish and save the current step, then stop."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

#: The message of a process that ends because it was asked to.
STOPPED = "stopped; the same command continues from here"


class StoppedError(BaseException):
    """This process was asked to stop, and has saved what it had: not a failure, so not an `Exception`."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(f"stopped by {number.name}")
        #: The exit status that shells expect of a process ended by this signal.
        self.exit_status = 128 + number


class Interruption:
    """Whether this process has been asked to stop, and by which signal."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def stop_if_asked(self) -> None:
        """Call this where everything is saved. Raises `StoppedError` if a stop was requested."""
        if self.signal is not None:
            raise StoppedError(self.signal)


@contextmanager
def stopping_gently() -> Iterator[Interruption]:
    """Hold the first signal back inside the block, for `stop_if_asked`; a second one acts as usual.

    Does nothing where other code handles signals already, or outside the main thread.
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
