"""`python -m enhance_sweep.status`: what of the sweeps in a folder is done, running, failed, interrupted or missing.

Made from records, leases and what each sweep wrote down when it began; neither torch nor data is needed.
"""

import argparse
import secrets
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from enhance_sweep.records.store import (
    RECORD_FILE,
    RecordError,
    mark_to_retry,
    read_record,
    timed_records,
    trained_records,
)
from enhance_sweep.sweep.manifest import Manifest, Wanted, manifests, measured_without_host
from enhance_sweep.system.files import files_below
from enhance_sweep.system.leases import HeldError, Holder, holder_of, lease
from enhance_sweep.version import VERSION_LINE

DONE, RUNNING, FAILED, INTERRUPTED, MISSING = "done", "running", "failed", "interrupted", "missing"
_ORDER = (DONE, RUNNING, INTERRUPTED, FAILED, MISSING)


@dataclass(frozen=True)
class Standing:
    """How one variant stands.

    Attributes:
        key: of its training; of its timing where it is only timed.
        state: done, running, interrupted, failed or missing.
        detail: who runs it and until when, why it failed, what is missing.
    """

    key: str
    state: str
    detail: str


@dataclass(frozen=True)
class Folder:
    """What there is in a folder of runs.

    Attributes:
        runs_dir: the folder.
        sweeps: that were started with it.
        trained: records by key.
        timed: the newest record of each way to measure, on whichever host, by `measured_without_host`.
    """

    runs_dir: Path
    sweeps: Sequence[Manifest]
    trained: Mapping[str, Mapping[str, Any]]
    timed: Mapping[str, Mapping[str, Any]]

    @classmethod
    def read(cls, runs_dir: Path) -> "Folder":
        """Read all of it.

        Raises:
            RecordError: a record cannot be read, with its path.
        """
        timed: dict[str, Mapping[str, Any]] = {}
        for record in timed_records(runs_dir):
            measured = measured_without_host(record["architecture"], record["measurement"])
            if measured not in timed or record["status"] == "completed" or timed[measured]["status"] == "failed":
                timed[measured] = record
        return cls(
            runs_dir, manifests(runs_dir), {record["key"]: record for record in trained_records(runs_dir)}, timed
        )

    def standings(self) -> list[Standing]:
        """Every variant that a sweep asked for, and every training that none did."""
        asked = [one for sweep in self.sweeps for one in sweep.variants]
        longest: dict[str | None, int] = {}
        for one in asked:
            longest[one.key] = max(longest.get(one.key, 0), one.steps or 0)
        wanted = {(one.key, one.measured): one for one in asked}
        timed = {one.key for one in asked if one.measured}
        # What one sweep trains, and another one trains and times, is one variant.
        found = [
            self.standing(replace(one, steps=longest[one.key] or None))
            for one in wanted.values()
            if one.measured or one.key not in timed
        ]
        keys = set(longest)
        return found + [self.standing(_alone(record)) for key, record in self.trained.items() if key not in keys]

    def unfinished(self) -> list[Manifest]:
        """The sweeps that would find something to do if they were started again, or wait for others."""
        return [one for one in self.sweeps if any(self.standing(variant).state != DONE for variant in one.variants)]

    def standing(self, wanted: Wanted) -> Standing:
        """The first that is not done decides."""
        parts = [*self._training(wanted), *self._timing(wanted)]
        state, detail = next(((state, detail) for state, detail in parts if state != DONE), (DONE, ""))
        return Standing(wanted.key or wanted.host_key or wanted.name, state, detail)

    def _training(self, wanted: Wanted) -> Iterator[tuple[str, str]]:
        if wanted.key is None:
            return
        holder = holder_of(self.runs_dir, wanted.key)
        record = self.trained.get(wanted.key)
        if holder:
            yield RUNNING, describe(holder)
        elif record is None:
            yield MISSING, "not trained"
        elif record["status"] == "failed":
            yield FAILED, _why(record)
        elif record["status"] == "running":
            since = f"since {_at(record['started_at'])}; " if record.get("started_at") else ""
            yield INTERRUPTED, f"{since}started again it goes on from its checkpoint"
        elif wanted.steps is not None and record["steps"] < wanted.steps:
            yield MISSING, f"trained for {record['steps']:,} of {wanted.steps:,} steps"
        elif not record.get("scores"):
            yield MISSING, "trained, not scored"
        else:
            yield DONE, ""

    def _timing(self, wanted: Wanted) -> Iterator[tuple[str, str]]:
        if wanted.measured is None:
            return
        holder = holder_of(self.runs_dir, wanted.host_key) if wanted.host_key else None
        record = self.timed.get(wanted.measured)
        if holder:
            yield RUNNING, describe(holder)
        elif record is None:
            yield MISSING, "not timed"
        elif record["status"] == "failed":
            yield FAILED, f"timing: {_why(record)}"
        else:
            yield DONE, ""


def _alone(record: Mapping[str, Any]) -> Wanted:
    """A training that no sweep asked for wants to be what it is."""
    return Wanted(record["key"], [], record["key"], None, None, None)


def describe(holder: Holder) -> str:
    """On which host, since when, how far, and when it will be done if it goes on like this."""
    said = f"{holder.work} on {holder.host}, process {holder.process}, since {_at(holder.since)}"
    if holder.step is None or holder.steps is None or holder.noted is None or holder.start_step is None:
        return said
    said += f", step {holder.step:,} of {holder.steps:,}"
    if holder.step > holder.start_step:
        noted, since = (datetime.fromisoformat(when) for when in (holder.noted, holder.since))
        each = (noted - since) / (holder.step - holder.start_step)
        said += f", trained about {_at((noted + each * (holder.steps - holder.step)).isoformat())}"
    return said


def _why(record: Mapping[str, Any]) -> str:
    # Who was only interrupted has not failed.
    attempts = {name: count for name, count in (record.get("attempts") or {}).items() if name != INTERRUPTED}
    failure, count = record.get("failure"), sum(attempts.values())
    reason = str(record.get("reason"))
    said = reason if failure is None or reason.startswith(failure) else f"{failure}: {reason}"
    tried = f" (failed {count} times)" if count > 1 else ""
    return said + tried + (" (will be tried again)" if record.get("retry") else "")


def _at(when: str) -> str:
    """Local time, without the date where it is less than half a day away."""
    time = datetime.fromisoformat(when).astimezone()
    near = abs(datetime.now(time.tzinfo) - time) < timedelta(hours=12)
    return f"{time:%H:%M}" if near else f"{time:%Y-%m-%d %H:%M}"


def retry_failed(runs_dir: Path) -> list[str]:
    """Mark whatever has failed to be tried again by the next sweep that asks for it. Returns their keys.

    Raises:
        RecordError: a record cannot be read, with its path.
    """
    paths = files_below(runs_dir / "trained", RECORD_FILE)
    newest = {str(Path(path).parent): path for path in files_below(runs_dir / "timed", ".json")}
    marked = []
    for path in map(Path, [*paths, *newest.values()]):
        record = read_record(path)
        if record["status"] == "failed":
            mark_to_retry(path)
            marked.append(str(record["key"]))
    return marked


def forget(runs_dir: Path, prefix: str) -> str:
    """Remove the training, or the timings, whose key begins so. Returns the key.

    Raises:
        ValueError: there is none, or more than one, or somebody works on it.
    """
    folders = [path for kind in ("trained", "timed") for path in sorted((runs_dir / kind).glob("[!.]*"))]
    folders = [path for path in folders if path.is_dir()]
    found = [path for path in folders if path.name == prefix] or [
        path for path in folders if path.name.startswith(prefix)
    ]
    if not prefix or len(found) != 1:
        some = ", ".join(path.name for path in found[:5])
        raise ValueError(f"--forget {prefix!r}: expected the beginning of one key, got that of {len(found)} ({some})")
    try:
        with lease(runs_dir, found[0].name, "forget"):  # nobody begins with it meanwhile
            gone = found[0].with_name(f".{found[0].name}.{secrets.token_hex(4)}.forgotten")
            found[0].rename(gone)  # at once, so that nobody sees a part of it
    except HeldError as error:
        raise ValueError(f"--forget {found[0].name}: {describe(error.holder)}; stop it first") from error
    shutil.rmtree(gone)
    return found[0].name


def table(folder: Folder) -> str:
    """A line for each variant, those that need somebody last, under a line that counts them."""
    standings = folder.standings()
    counts = Counter(one.state for one in standings)
    said = ", ".join(f"{counts[state]} {state}" for state in _ORDER if counts[state])
    lines = [
        f"{folder.runs_dir}: {len(standings)} variants: {said}" if standings else f"{folder.runs_dir}: nothing yet"
    ]
    width = max((len(one.key) for one in standings), default=0)
    for state in _ORDER:
        for one in standings:
            if one.state == state:
                lines.append(f"{state:<12} {one.key:<{width}}  {one.detail}".rstrip())
    lines += [f"go on: python -m enhance_sweep -m {shlex.join(sweep.arguments)}" for sweep in folder.unfinished()]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print how a folder of runs stands; 1 with a message on stderr where that cannot be told."""
    parser = argparse.ArgumentParser(
        prog="python -m enhance_sweep.status",
        description="How the sweeps in a folder stand: done, running (on which host, since when, until when), "
        "interrupted, failed (why), missing. Times are local.",
    )
    parser.add_argument("--version", action="version", version=VERSION_LINE)
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="folder of runs (default: runs)")
    parser.add_argument(
        "--retry", choices=["failed"], help="mark what has failed; the next sweep that asks for it tries it again"
    )
    parser.add_argument(
        "--forget", action="append", default=[], metavar="KEY",
        help="remove a training (its weights too) or the timings of a network; the beginning of a key is enough",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    try:
        if not options.runs.is_dir():
            raise ValueError(f"--runs: {options.runs} is no folder")
        for prefix in options.forget:
            print(f"forgotten: {forget(options.runs, prefix)}")
        if options.retry:
            for key in retry_failed(options.runs):
                print(f"will be tried again: {key}")
        print(table(Folder.read(options.runs)))
    except (ValueError, OSError, RecordError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
