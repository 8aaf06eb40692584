"""The first signal waits for the step to end; the second does not."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from enhance_sweep.system.signals import StoppedError, stopping_gently


@pytest.fixture(autouse=True)
def as_started_by_a_person() -> Iterator[None]:
    """Whoever started the tests in the background may have made them deaf to Ctrl-C."""
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, earlier)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_held_back(number: signal.Signals, capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(number)
    with stopping_gently() as asked:
        asked.stop_if_asked()
        os.kill(os.getpid(), number)
        assert asked.signal == number
        assert signal.getsignal(number) == before
        with pytest.raises(StoppedError) as stopped:
            asked.stop_if_asked()
    assert stopped.value.exit_status == 128 + number
    assert signal.getsignal(number) == before
    assert "stopping after this step" in capsys.readouterr().err


def test_the_second_one_is_not() -> None:
    with stopping_gently():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_somebody_elses_handler_stays() -> None:
    heard = []
    earlier = signal.signal(signal.SIGTERM, lambda *_: heard.append(1))
    try:
        with stopping_gently() as asked:
            os.kill(os.getpid(), signal.SIGTERM)
            asked.stop_if_asked()
    finally:
        signal.signal(signal.SIGTERM, earlier)
    assert heard == [1]


def test_in_another_thread_nothing_is_held() -> None:
    def work() -> None:
        with stopping_gently() as asked:
            asked.stop_if_asked()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
