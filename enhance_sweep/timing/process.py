"""The parent's side of a worker process: start it, ask it, end it."""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from enhance_sweep.system.environment import allocator_environment
from enhance_sweep.system.waiting import as_the_user_set

#: Far longer than any sensible call; a worker that is silent for longer hangs.
SILENCE_LIMIT_S = 3600.0
_STDERR_TAIL = 2000


class TimingError(RuntimeError):
    """A network could not be timed: the worker's error, or how the worker died."""


class Worker:
    """A fresh process that holds a network; its environment is set before it imports torch.

    Its threads wait as the user has set, else by default: not as where we train (`enhance_sweep.system.waiting`).

    Args:
        threads: how many it computes with.
        cores: what it is pinned to; empty means not pinned.
        allocator: a name in `enhance_sweep.system.environment.ALLOCATORS`.
    """

    def __init__(self, threads: int, cores: list[int], allocator: str) -> None:
        """Start it; it waits for commands."""
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
        environment = as_the_user_set(allocator_environment(allocator)) | dict.fromkeys(names, str(threads))
        # The worker can import what the parent can, such as a topology in the user's own folder.
        environment["PYTHONPATH"] = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        command = [sys.executable, "-m", "enhance_sweep.timing.worker", ",".join(str(core) for core in cores)]
        # A file: a full pipe that nobody reads would block the worker.
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the worker
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, env=environment
        )

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Send one command and wait for its answer.

        Raises:
            TimingError: the worker answered with an error, or died.
        """
        assert self._process.stdin is not None
        request = json.dumps({"command": command, **arguments}) + "\n"
        try:
            self._process.stdin.write(request.encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._death(command) from None
        line = self._read_line(command)
        if not line:
            raise self._death(command)
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise TimingError(answer["error"])
        return answer

    def close(self) -> None:
        """End the process; it is gone when this returns."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def __enter__(self) -> Self:
        """The worker; it ends with the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the process."""
        self.close()

    def _read_line(self, command: str) -> bytes:
        """The next line, empty if the worker is gone."""
        assert self._process.stdout is not None
        # Each command has one answer, so the reader's buffer is empty before the select.
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(SILENCE_LIMIT_S):
                raise TimingError(f"the timing worker did not answer {command!r} for {SILENCE_LIMIT_S:.0f} s")
        return self._process.stdout.readline()

    def _death(self, command: str) -> TimingError:
        """How the process ended, with the last lines that it wrote to stderr."""
        code = self._process.wait()
        how = f"exited with {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
        if code == -signal.SIGKILL:
            how += " (out of memory, if nobody killed it)"
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - _STDERR_TAIL))
        tail = self._stderr.read().decode(errors="replace").strip()
        return TimingError(f"the timing worker {how} at {command!r}" + (f": {tail}" if tail else ""))
