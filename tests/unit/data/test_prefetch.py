"""Items made beforehand by a thread."""

import itertools
import threading
import time
from collections.abc import Iterator

import pytest

from enhance_sweep.data.prefetch import prefetch


def test_items_come_in_order_and_end_where_they_end() -> None:
    assert list(prefetch(iter(range(100)), 3)) == list(range(100))


def test_the_next_items_are_made_while_one_is_used_and_no_more_than_asked_for() -> None:
    made = []

    def items() -> Iterator[int]:
        for number in itertools.count():
            made.append(number)
            yield number

    stream = prefetch(items(), 2)
    assert next(stream) == 0
    deadline = time.monotonic() + 10
    while len(made) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    assert made == [0, 1, 2, 3]  # one is used, two wait, and one is held until there is a place
    stream.close()


def test_an_exception_comes_where_its_item_would_have_come() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("the second cannot be made")

    stream = prefetch(items(), 2)
    assert next(stream) == 1
    with pytest.raises(ValueError, match="the second cannot be made"):
        next(stream)


def test_the_thread_ends_when_nobody_wants_more() -> None:
    before = set(threading.enumerate())
    stream = prefetch(itertools.count(), 2)
    next(stream)
    (thread,) = set(threading.enumerate()) - before
    stream.close()
    thread.join(timeout=10)
    assert not thread.is_alive()
