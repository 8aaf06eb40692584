"""Many photographs: the next are read and the last are written while one is enhanced."""

import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from PIL import Image

from enhance_sweep.enhance.enhancer import Enhancer
from enhance_sweep.enhance.finding import Failure, Task, printable
from enhance_sweep.enhance.memory import MIB, anonymous_pixels
from enhance_sweep.enhance.reading import bytes_needed, decode, opened
from enhance_sweep.enhance.writing import comparison_of, write_comparison, write_photo
from enhance_sweep.system.environment import usable_cores


def enhance_files(
    enhancer: Enhancer, tasks: Sequence[Task], comparisons: bool = False
) -> Iterator[tuple[Task, Failure | None]]:
    """Enhance files, each written whole or not at all; a failure does not stop the others.

    Several photographs are read and written at once, as far as the enhancer's memory budget allows; the network takes
    one after the other. Ending the iteration early skips those that have not begun.

    Args:
        enhancer: its budget counts photographs too.
        tasks: their folders are created.
        comparisons: also write a comparison beside each result.

    Yields:
        Each task as it finishes, in any order, with what went wrong, if anything.
    """
    Image.MAX_IMAGE_PIXELS = None  # the budget is the bound, and says so
    with (
        warnings.catch_warnings(),
        # One thread makes all calls of the network: torch keeps a pool of threads for each thread that calls it.
        ThreadPoolExecutor(1, "enhance") as network,
        ThreadPoolExecutor(usable_cores() + 1, "photo") as workers,
    ):
        warnings.simplefilter("ignore")  # Pillow's, about metadata: they do not name the file
        work = partial(_enhance_file, enhancer, network, comparisons)
        futures = {workers.submit(work, task): task for task in tasks}
        try:
            for future in as_completed(list(futures)):
                task, error = futures.pop(future), future.exception()
                yield task, None if error is None else Failure(str(task.source), _reason(error, task))
        finally:
            workers.shutdown(wait=False, cancel_futures=True)


def _enhance_file(enhancer: Enhancer, network: ThreadPoolExecutor, comparisons: bool, task: Task) -> None:
    """Read, enhance and write one file."""
    budget = enhancer.budget
    with ExitStack() as at_last:
        with opened(task.source) as image:
            needed = bytes_needed(image, task.source, comparisons) + enhancer.needs(image.height, image.width)
            if needed > budget.size:
                raise ValueError(
                    f"is {image.width}x{image.height}, which needs about {needed // MIB} MiB of the "
                    f"{budget.size // MIB} MiB that --max-memory leaves for photographs: raise it"
                    + (f" ({enhancer.why_whole})" if enhancer.why_whole else "")
                )
            budget.wait_and_take(needed)
            at_last.callback(budget.give_back, needed)
            photo = decode(image, task.source)
        enhanced = anonymous_pixels(*photo.pixels.shape)
        network.submit(enhancer.enhance_pixels, photo.pixels, enhanced).result()
        before = photo.pixels if comparisons else None
        photo = replace(photo, pixels=enhanced)
        task.target.parent.mkdir(parents=True, exist_ok=True)
        write_photo(photo, task.target)
        if before is not None:
            write_comparison(before, enhanced, comparison_of(task.target))


def _reason(error: BaseException, task: Task) -> str:
    """What went wrong, in one line."""
    if isinstance(error, MemoryError):
        return "needs more memory than there is"
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        elsewhere = error.filename is not None and Path(error.filename) != task.source
        text = f"{error.strerror}: {task.target.parent}" if elsewhere else error.strerror
    first_line = text.strip().partition("\n")[0]
    return printable(first_line) or type(error).__name__
