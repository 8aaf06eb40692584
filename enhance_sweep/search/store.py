"""The storage of a search's trials: a journal beside the records, or any storage that Optuna opens by its URL.

What has been told is never lost: a journal that ends in the middle of a line is repaired, and a search waits for a
database that has gone away.
"""

import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, TypeVar

import optuna
from filelock import FileLock
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning, StorageInternalError
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from enhance_sweep.config import ConfigError
from enhance_sweep.measures import MEASURES

JOURNAL_FILE = "search.journal"
#: Held while opening a study or proposing trials, by one of the processes that share a folder of runs.
LOCK_FILE = ".search.lock"
#: How long to wait for a storage that does not answer: enough for a database server's restart.
PATIENCE_S = 600.0

#: What is told of a network's speed, and which way is better.
SPEED_NAMES = {"latency_ms": "latency_ms", "speed_up": "log2_speed_up"}
SPEED_DIRECTIONS = {"latency_ms": "minimize", "speed_up": "maximize"}

Result = TypeVar("Result")


class WholeLineBackend(JournalFileBackend):
    """Optuna's journal file, which survives a writer that died, or ran out of disk, in the middle of a line.

    Optuna would append to the partial line and then could read neither. Here the partial line is cut off first; nobody
    has read it, because a line counts only once it has ended.
    """

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """The lines from a number on.

        Raises:
            ConfigError: a line is not one of Optuna's.
        """
        try:
            yield from super().read_logs(log_number_from)
        except ValueError as error:
            raise _damaged(self._file_path, error) from error

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Cut off a partial line, then append."""
        self._lock.acquire()
        try:
            with Path(self._file_path).open("r+b") as file:
                file.truncate(_end_of_last_line(file.read()))
                file.seek(0, os.SEEK_END)
                lines = (json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
                file.write("".join(lines).encode())
                file.flush()
                os.fsync(file.fileno())
        finally:
            self._lock.release()


def _damaged(path: str | Path, error: Exception) -> ConfigError:
    return ConfigError(
        f"search.storage: {path} is damaged ({type(error).__name__}: {error}): move it away and start the search "
        "again; what was timed and trained is in the records, and is not run again"
    )


def _end_of_last_line(content: bytes) -> int:
    return content.rfind(b"\n") + 1


def open_study(
    url: str | None,
    runs_dir: Path,
    name: str,
    sampler: BaseSampler,
    quality: str = "ms_ssim",
    speed: str = "latency_ms",
) -> optuna.Study:
    """The study of that name, new or as the last search left it.

    Args:
        url: an Optuna storage URL; None: a journal in `runs_dir`.
        runs_dir: the folder of runs.
        name: of the study.
        sampler: proposes trials.
        quality: the measure to search by, beside speed.
        speed: `latency_ms`, or `speed_up` over the baseline, whose logarithm is told.

    Raises:
        ConfigError: the storage cannot be opened.
    """
    runs_dir.mkdir(parents=True, exist_ok=True)
    with FileLock(runs_dir / LOCK_FILE):  # creating a database's tables twice at once fails
        storage = retry_while_unavailable(lambda: _open(url, runs_dir))

    def create() -> optuna.Study:
        try:
            study = optuna.create_study(
                storage=storage,
                study_name=name,
                sampler=sampler,
                directions=[SPEED_DIRECTIONS[speed], "maximize" if MEASURES[quality].higher_is_better else "minimize"],
                load_if_exists=True,
            )
        except DuplicatedStudyError:  # another process created it meanwhile
            study = optuna.load_study(storage=storage, study_name=name, sampler=sampler)
        if study.metric_names is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)  # experimental for years; only names axes
                study.set_metric_names([SPEED_NAMES[speed], quality])
        return study

    return retry_while_unavailable(create)


def _open(url: str | None, runs_dir: Path) -> BaseStorage:
    if url is None:
        path = runs_dir / JOURNAL_FILE
        try:
            return JournalStorage(WholeLineBackend(str(path)))
        except (TypeError, LookupError, AttributeError) as error:
            raise _damaged(path, error) from error
    try:
        # A connection may have died with its server since it was last used: look first.
        return RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise ConfigError(
            f"search.storage: {url!r} cannot be opened ({error}): expected null, or a URL such as "
            "postgresql+psycopg://user@host/name (extra postgresql) or sqlite:////path/search.db"
        ) from error
    except (StorageInternalError, SQLAlchemyError) as error:
        if "unable to open database file" not in _root(error):
            raise
        raise ConfigError(f"search.storage: {url!r} cannot be opened: does its folder exist?") from error


def retry_while_unavailable(
    call: Callable[[], Result], patience_s: float = PATIENCE_S, sleep: Callable[[float], None] = time.sleep
) -> Result:
    """Return what `call` returns; retry it while the storage does not answer.

    Args:
        call: safe to repeat.
        patience_s: how long to retry.
        sleep: how to wait.

    Raises:
        ConfigError: the storage did not come back.
    """
    waited, pause = 0.0, 0.5
    while True:
        try:
            return call()
        except (StorageInternalError, SQLAlchemyError) as error:
            if not _is_unavailable(error):
                raise
            if waited >= patience_s:
                raise ConfigError(
                    f"search.storage: it has not answered for {waited:.0f} s ({_root(error)}). Nothing is lost: "
                    "start it, then start the same search again"
                ) from error
            if not waited:
                print(f"The storage does not answer; waiting for it ({_root(error)})", file=sys.stderr, flush=True)
            sleep(pause)
            waited, pause = waited + pause, min(2 * pause, 10.0)


def _is_unavailable(error: BaseException) -> bool:
    """Whether the connection failed, not the statement."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, DBAPIError):
            return cause.connection_invalidated or type(cause).__name__ in ("OperationalError", "InterfaceError")
        cause = cause.__cause__
    return False


def _root(error: BaseException) -> str:
    """The driver's own message, without the wrappers."""
    while (inner := getattr(error, "orig", None) or error.__cause__) is not None:
        error = inner
    return " ".join(str(error).split())[:200]
