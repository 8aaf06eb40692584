"""Commands in processes of their own that need not import torch first: forked from a server that has.

They are what `python -m MODULE ...` is, but for `prepare_process`, whose variables are set already.
"""

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from enhance_sweep.system.environment import allocator_environment

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(["tests.preloaded"])


class Command:
    """A process that runs now. It leads a session of its own, so that a kill takes along whatever it has started.

    Args:
        module: as after `python -m`; or a script's path.
        cwd: the folder to start in.
        said: takes standard output and error, one after the other; None: two temporary files.
        environment: variables beside those of this process.
    """

    def __init__(self, module: str, *arguments: str, cwd: Path, said: Path | None = None, **environment: str) -> None:
        self._files = [said, said] if said else [Path(tempfile.mkstemp()[1]) for _ in range(2)]
        self.arguments = [module, *arguments]
        known = allocator_environment("tuned") | environment
        self._process = FORKED.Process(target=_work, args=(self.arguments, str(cwd), self._files, known))
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    def poll(self) -> int | None:
        """Its exit status once it has ended."""
        return self._process.exitcode

    def wait(self, timeout_s: float | None = None) -> int:
        """Its exit status, when it has ended; minus the signal's number if one has killed it."""
        self._process.join(timeout_s)
        assert self._process.exitcode is not None, f"{self.arguments} has not ended after {timeout_s} s"
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """It and all that it has started, at once."""
        os.killpg(self.pid, signal.SIGKILL)
        self.wait()

    def output(self) -> str:
        """Its standard output so far."""
        return self._files[0].read_text()

    def said(self) -> str:
        """Its standard error so far."""
        return self._files[1].read_text()

    def lines(self) -> Iterator[str]:
        """Of its standard error, as they come, to its end."""
        with self._files[1].open() as file:
            line = ""
            while True:
                ended = self.poll() is not None
                while part := file.readline():
                    line += part
                    if line.endswith("\n"):
                        yield line
                        line = ""
                if ended:
                    return
                time.sleep(0.01)

    def result(self) -> "subprocess.CompletedProcess[str]":
        """All of it, when it has ended."""
        status = self.wait()
        output, error = (file.read_text() for file in self._files)
        return subprocess.CompletedProcess(self.arguments, status, output, error)


def run(module: str, *arguments: str, cwd: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return Command(module, *arguments, cwd=cwd, **environment).result()


def _work(arguments: list[str], cwd: str, files: list[Path], environment: Mapping[str, str]) -> Any:
    """Become the command."""
    os.setsid()
    # Whoever started the tests in the background may have made them deaf to Ctrl-C, and what they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # TMPDIR may be another
    os.chdir(cwd)
    for number, file in enumerate(files, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT), number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
    module, sys.argv = arguments[0], list(arguments)
    try:
        if module.endswith(".py"):
            runpy.run_path(module, run_name="__main__")
        else:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
