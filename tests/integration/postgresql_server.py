"""A PostgreSQL server of a test's own, from Debian's package."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

#: Where Debian puts what `postgresql` installs; elsewhere it is in the PATH.
_DEBIAN = Path("/usr/lib/postgresql")
#: PostgreSQL refuses to run as root.
_UNPRIVILEGED = "postgres"


def programs() -> Path | None:
    """The folder of `initdb` and `pg_ctl`, those of the newest version; None where PostgreSQL is not installed."""
    versions = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    found = str(versions[-1]) if versions else shutil.which("initdb")
    return Path(found).parent if found else None


class Server:
    """One server in a folder of its own, stopped and started at will.

    Args:
        binaries: as `programs` says.
    """

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self._user = _UNPRIVILEGED if os.geteuid() == 0 else None
        # Not below pytest's folders, which no other user may enter.
        self._folder = Path(tempfile.mkdtemp(prefix="postgresql-", dir="/tmp"))
        if self._user:
            owner = pwd.getpwnam(self._user)
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._data = self._folder / "data"
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")

    @property
    def url(self) -> str:
        """As Optuna takes it."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"-p {self._port} -k {self._folder} -c listen_addresses=127.0.0.1"
        self._run("pg_ctl", "-D", self._data, "-w", "-l", self._folder / "log", "-o", options, "start")

    def stop(self, mode: str) -> None:
        """Stop it: `fast` throws its clients out, `immediate` is a crash."""
        self._run("pg_ctl", "-D", self._data, "-w", "-m", mode, "stop")

    def remove(self) -> None:
        """Stop it if it runs, and leave nothing behind."""
        if (self._data / "postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self._folder)

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self._binaries / program), *map(str, arguments)]
        # A server that inherits a pipe keeps it open: what it says goes into a file.
        with (self._folder.parent / f"{self._folder.name}.said").open("w+") as said:
            ended = subprocess.run(
                command, user=self._user, group=self._user, extra_groups=[] if self._user else None,
                cwd=self._folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=False, timeout=120,
            )  # fmt: skip
            said.seek(0)
            words = said.read()
        Path(said.name).unlink()
        if ended.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{words}")
