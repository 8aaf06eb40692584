"""One GPU for one training: a file lock (flock) for each GPU, which the kernel releases when its holder dies."""

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from enhance_sweep.timing.lock import open_lock

try:
    import fcntl
except ImportError:  # Windows has no flock: nothing is claimed there.
    fcntl = None  # type: ignore[assignment]

_LOOK_EVERY_S = 1.0


def count(accelerator: str) -> int:
    """How many GPUs a training on `accelerator` may choose among: those that CUDA shows this process.

    Which it shows is CUDA_VISIBLE_DEVICES' choice, or Ray's or Slurm's, who set it.
    """
    wanted = accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return torch.cuda.device_count() if wanted else 0


def lock_path(index: int) -> Path:
    """The lock's file of a visible GPU: the same for all users of a host, whatever number each sees it under."""
    return Path(tempfile.gettempdir()) / f"enhance_sweep-gpu-{torch.cuda.get_device_properties(index).uuid}.lock"


@contextlib.contextmanager
def claimed(accelerator: str) -> Iterator[list[int] | int]:
    """Hold a GPU that no other training holds; waits, and says so on stderr, while there is none.

    Yields:
        What Lightning calls `devices`: the GPU's index, or 1 where no GPU is used.
    """
    gpus = count(accelerator)
    if not gpus or fcntl is None:
        yield 1
        return
    handles = [open_lock(lock_path(index)) for index in range(gpus)]
    try:
        index = _first_free(handles)
        if index is None:
            shown = "the GPU" if gpus == 1 else f"one of {gpus} GPUs"
            print(f"training waits for {shown}: other trainings hold them all", file=sys.stderr, flush=True)
        while index is None:
            time.sleep(_LOOK_EVERY_S)
            index = _first_free(handles)
        try:
            yield [index]
        finally:
            # Said aloud, because a forked child may hold a copy of the handle.
            fcntl.flock(handles[index], fcntl.LOCK_UN)
    finally:
        for handle in handles:
            os.close(handle)


def _first_free(handles: list[int]) -> int | None:
    """The index of the first lock that could be had, and is held now."""
    for index, handle in enumerate(handles):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return index
    return None
