"""Leases: which process works on a variant. A lease ends with its holder.

Several sweeps, on one host or many, share a folder of runs and nothing else. A process that wants to train or time a
variant first takes its lease, `leases/<key>/<number>.json`; the highest number counts. The file is created together
with its content, and only if that name is free, so of several takers one succeeds, on NFS too. The holder touches its
file every few seconds. A lease is free again when it was given back, when its holder on the same system is dead, or
when it has not been touched for `EXPIRES_S`, by the clock of the file system. A holder that was away so long (a laptop
that slept) finds a higher number and stops.
"""

import errno
import json
import math
import os
import platform
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from enhance_sweep.system.clock import now
from enhance_sweep.system.environment import system_id
from enhance_sweep.system.files import raise_if_full

FOLDER = "leases"
#: A lease that has not been touched for this long is free.
EXPIRES_S = 120.0
_TOUCHED_EVERY_S = 20.0


class HeldError(Exception):
    """Another process works on this variant."""

    def __init__(self, holder: "Holder") -> None:
        super().__init__(f"held by process {holder.process} on {holder.host} since {holder.since}")
        self.holder = holder


class LostError(RuntimeError):
    """This process was away so long that another took over its variant."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lease.

    Attributes:
        host: the host's name.
        process: the process's number there.
        system: the boot and process namespace to which the number belongs.
        began: when the process began, in s since 1970. Process numbers recur; with their start times they do not.
        since: when it took the lease, ISO 8601.
        work: train or time.
        step: the step that it has reached, of `steps`; None if unknown.
        start_step: the step at which it began.
        noted: when it noted `step`, ISO 8601.
    """

    host: str
    process: int
    system: str
    began: float
    since: str
    work: str
    step: int | None = None
    start_step: int | None = None
    steps: int | None = None
    noted: str | None = None

    @classmethod
    def here(cls, work: str) -> "Holder":
        """This process, from now on."""
        began = psutil.Process().create_time()
        return cls(platform.node(), os.getpid(), system_id(), began, now(), work)

    def is_dead(self) -> bool:
        """Whether it has surely ended; False for processes of other systems, of which nothing is known."""
        if self.system != system_id():
            return False
        try:
            process = psutil.Process(self.process)
            # A killed process keeps its number until its parent reaps it, which some containers' parents never do.
            return bool(process.status() == psutil.STATUS_ZOMBIE or abs(process.create_time() - self.began) > 1)
        except psutil.NoSuchProcess:
            return True


class Lease:
    """A lease that this process holds.

    Attributes:
        holder: this process and its progress.
    """

    def __init__(self, path: Path, holder: Holder) -> None:
        self.path = path
        self.holder = holder
        self.lost = False

    def check(self) -> None:
        """Raise `LostError` if another has taken over."""
        if self.lost:
            raise LostError(
                f"{self.path.parent.name}: another process has taken over, because this one was away too long"
            )

    def note(self, step: int, steps: int) -> None:
        """Note the progress; it is written when the lease is next touched."""
        start = step if self.holder.start_step is None else self.holder.start_step
        noted: dict[str, Any] = {"step": step, "start_step": start, "steps": steps, "noted": now()}
        self.holder = Holder(**{**vars(self.holder), **noted})

    def touch(self) -> None:
        """Write that the holder lives, and its progress."""
        self.lost = self.lost or not self._is_mine()
        if self.lost:
            return
        try:
            _written(self.path.parent, self.holder).replace(self.path)
        except OSError:  # a full disk: touching needs no space
            os.utime(self.path)

    def give_back(self) -> None:
        """Free the lease."""
        if self._is_mine():
            self.path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty: another process has taken it already
            self.path.parent.rmdir()

    def _is_mine(self) -> bool:
        """Compares contents: numbers start again once a lease is given back."""
        numbers = _numbers(self.path.parent)
        if not numbers or numbers[-1] != int(self.path.stem):
            return False
        there = _read(self.path)
        return there is not None and (there.system, there.process, there.began) == (
            self.holder.system,
            self.holder.process,
            self.holder.began,
        )


@contextmanager
def lease(runs_dir: Path, key: str, work: str) -> Iterator[Lease]:
    """Hold the lease of `key` inside the block.

    Raises:
        HeldError: another process holds it.
        NoSpaceError: the disk is full.
        OSError: it cannot be written for another reason.
    """
    try:
        held = _take(runs_dir / FOLDER / key, Holder.here(work))
    except OSError as error:
        raise_if_full(error, runs_dir / FOLDER / key)
        raise
    stop = threading.Event()

    def keep_alive() -> None:
        while not stop.wait(_TOUCHED_EVERY_S):
            with suppress(OSError):  # a file server may answer the next time
                held.touch()

    heartbeat = threading.Thread(target=keep_alive, daemon=True, name=f"lease of {key}")
    heartbeat.start()
    try:
        yield held
    finally:
        stop.set()
        heartbeat.join()
        with suppress(OSError):
            held.give_back()


def holder_of(runs_dir: Path, key: str) -> Holder | None:
    """Which process works on `key` now; None if none does."""
    folder = runs_dir / FOLDER / key
    numbers = _numbers(folder)
    return _living(folder / _name(numbers[-1])) if numbers else None


def _take(folder: Path, holder: Holder) -> Lease:
    while True:
        numbers = _numbers(folder)
        if numbers:
            other = _living(folder / _name(numbers[-1]))
            if other:
                raise HeldError(other)
        path = folder / _name(numbers[-1] + 1 if numbers else 1)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            part = _written(folder, holder)
            try:
                _make(path, part)
            finally:
                part.unlink()
        except (FileNotFoundError, FileExistsError):
            continue  # the folder has just been given back, or another process was first: look again
        for number in numbers:
            with suppress(OSError):
                (folder / _name(number)).unlink(missing_ok=True)
        for part in folder.glob(".*.part"):  # left by killed processes; living ones write theirs again
            with suppress(OSError):
                part.unlink(missing_ok=True)
        return Lease(path, holder)


def _make(path: Path, part: Path) -> None:
    """Create `path` with the content of `part`, or raise `FileExistsError`."""
    try:
        os.link(part, path)  # with its content, or not at all
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP):
            raise
        with path.open("x") as file:  # a file system without links
            file.write(part.read_text())


def _read(path: Path) -> Holder | None:
    try:
        holder = Holder(**json.loads(path.read_text()))
    except (FileNotFoundError, IsADirectoryError):
        return None
    except (ValueError, TypeError):
        return None  # of another version, or damaged: names no holder
    return holder if _is_whole(holder) else None


def _is_whole(holder: Holder) -> bool:
    """Whether all values are of the types that `Holder` says, so that readers can rely on them."""
    texts = (holder.host, holder.system, holder.work, holder.since)
    counts = [count for count in (holder.step, holder.start_step, holder.steps) if count is not None]
    whole = all(isinstance(one, str) for one in texts) and all(type(one) is int for one in [holder.process, *counts])
    try:
        for when in (holder.since, holder.noted):
            if when is not None and datetime.fromisoformat(when).tzinfo is None:
                return False
        return whole and holder.process > 0 and math.isfinite(holder.began)
    except (ValueError, TypeError):
        return False


def _living(path: Path) -> Holder | None:
    """The holder of the lease in this file; None if it is free."""
    holder = _read(path)
    if holder is None or holder.is_dead():
        return None
    if holder.system == system_id():
        return holder  # alive, however slow
    with suppress(FileNotFoundError):
        # A time in the future does not count as touched: the clock has been set back since.
        return holder if abs(_clock(path.parent) - path.stat().st_mtime) < EXPIRES_S else None
    return None


def _clock(folder: Path) -> float:
    """The file system's time, on which hosts agree even if their own clocks differ.

    This host's time where nothing can be written: reading who works on what must be possible there too.
    """
    probe = folder / f".clock.{secrets.token_hex(8)}"
    try:
        probe.touch()
        return probe.stat().st_mtime
    except FileNotFoundError:
        raise
    except OSError:
        return time.time()
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)


def _written(folder: Path, holder: Holder) -> Path:
    part = folder / f".{secrets.token_hex(8)}.part"
    try:
        part.write_text(json.dumps(vars(holder)))
    except OSError:  # on a full disk the name may exist without its content
        part.unlink(missing_ok=True)
        raise
    return part


def _numbers(folder: Path) -> list[int]:
    try:
        names = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    parts = (name.partition(".") for name in names)
    return sorted(int(stem) for stem, _, kind in parts if kind == "json" and stem.isdecimal())


def _name(number: int) -> str:
    return f"{number:06d}.json"
