"""A thread prepares the next items while the current one is used."""

import queue
import threading
from collections.abc import Iterator
from typing import TypeVar

Item = TypeVar("Item")


def prefetch(items: Iterator[Item], count: int) -> Iterator[Item]:
    """The same items in the same order; a thread prepares up to `count` of them in advance.

    An exception is raised in place of its item. The thread ends soon after the iterator is closed.
    """
    made: queue.Queue[tuple[Item | None, BaseException | None]] = queue.Queue(count)
    closed = threading.Event()

    def make() -> None:
        try:
            for item in items:
                if not _put(made, (item, None), closed):
                    return
            raise StopIteration
        except BaseException as error:
            _put(made, (None, error), closed)

    threading.Thread(target=make, name="prefetch", daemon=True).start()
    try:
        while True:
            item, error = made.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]
    finally:
        closed.set()


def _put(made: "queue.Queue[Item]", item: Item, closed: threading.Event) -> bool:
    """Wait for a free place; False once nobody reads any more."""
    while not closed.is_set():
        try:
            made.put(item, timeout=0.5)
        except queue.Full:
            continue
        return True
    return False
