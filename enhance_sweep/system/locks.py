"""One timing at a time on a host, never beside a training; one training at a time on a GPU.

These are file locks (flock), which the kernel releases when their holder dies, however it dies. A timing holds the
host's lock alone. Trainings share it, and each also holds the lock of its GPU.
"""

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has no flock: nothing is locked there
    fcntl = None  # type: ignore[assignment]

_LOOK_EVERY_S = 1.0


def lock_path() -> Path:
    """The host's lock file: the same for all users and checkouts."""
    return Path(tempfile.gettempdir()) / "enhance_sweep-timing.lock"


@contextlib.contextmanager
def host_lock(shared: bool = False, path: Path | None = None) -> Iterator[None]:
    """Hold the host for timing (`shared=False`: no other process times or trains) or for training (`shared=True`).

    Waits until it is free, and says on stderr for whom.
    """
    if fcntl is None:
        yield
        return
    handle = open_lock(path or lock_path())
    try:
        _acquire(handle, shared)
        if not shared:
            _name_holder(handle, f"timing in process {os.getpid()}")
        try:
            yield
        finally:
            if not shared:
                _name_holder(handle, "")
            # Unlock explicitly, because a forked child may hold a copy of the handle.
            fcntl.flock(handle, fcntl.LOCK_UN)
    finally:
        os.close(handle)


def _acquire(handle: int, shared: bool) -> None:
    """Lock now, or say who holds the lock and wait."""
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(handle, 100, 0).decode(errors="replace").strip() or "a training run"
        purpose = "training" if shared else "timing"
        print(f"{purpose} waits for {holder}: timing needs this host to itself", file=sys.stderr, flush=True)
        fcntl.flock(handle, kind)


def open_lock(path: Path) -> int:
    """Open the file for reading and writing, whichever user created it."""
    try:
        return os.open(path, os.O_RDWR)
    except FileNotFoundError:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        with contextlib.suppress(OSError):
            os.fchmod(handle, 0o666)
        return handle


def _name_holder(handle: int, text: str) -> None:
    os.ftruncate(handle, 0)
    os.pwrite(handle, text.encode(), 0)


def gpu_count(accelerator: str) -> int:
    """How many GPUs a training on `accelerator` may choose from: those that CUDA shows this process.

    CUDA_VISIBLE_DEVICES decides which; Ray and Slurm set it.
    """
    import torch

    wanted = accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return torch.cuda.device_count() if wanted else 0


def gpu_lock_path(index: int) -> Path:
    """A visible GPU's lock file: the same for all users of a host, whatever number they see for it."""
    import torch

    return Path(tempfile.gettempdir()) / f"enhance_sweep-gpu-{torch.cuda.get_device_properties(index).uuid}.lock"


@contextlib.contextmanager
def claimed_gpu(accelerator: str) -> Iterator[list[int] | int]:
    """Hold a GPU that no other training holds. While there is none, wait and say so on stderr.

    Yields:
        What Lightning calls `devices`: the GPU's index, or 1 where no GPU is used.
    """
    gpus = gpu_count(accelerator)
    if not gpus or fcntl is None:
        yield 1
        return
    handles = [open_lock(gpu_lock_path(index)) for index in range(gpus)]
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
            # Unlock explicitly, because a forked child may hold a copy of the handle.
            fcntl.flock(handles[index], fcntl.LOCK_UN)
    finally:
        for handle in handles:
            os.close(handle)


def _first_free(handles: list[int]) -> int | None:
    """The index of the first free lock, which is now held; None if there is none."""
    for index, handle in enumerate(handles):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return index
    return None
