"""`python -m enhance_sweep.status`: what in a folder of runs is done, running, failed, interrupted or missing.

It reads records, leases and the sweeps' manifests, and needs neither torch nor data.
"""

import argparse
import secrets
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from enhance_sweep.records.schema import TimedRecord, TrainedRecord
from enhance_sweep.records.store import (
    RECORD_FILE,
    RecordError,
    mark_to_retry,
    read_record,
    timed_records,
    trained_records,
)
from enhance_sweep.sweep import standing
from enhance_sweep.sweep.failures import INTERRUPTED
from enhance_sweep.sweep.manifest import Manifest, Wanted, manifests, measured_without_host
from enhance_sweep.sweep.standing import Standing
from enhance_sweep.system.files import files_below
from enhance_sweep.system.leases import HeldError, Holder, holder_of, lease
from enhance_sweep.version import VERSION_LINE

DONE, RUNNING, MISSING = "done", "running", "missing"
_ORDER = (DONE, RUNNING, "interrupted", "failed", MISSING)


@dataclass(frozen=True)
class Row:
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
    """What a folder of runs holds.

    Attributes:
        runs_dir: the folder.
        sweeps: those that were started in it.
        trained: records by key.
        timed: of the timings of a network in one way, on any host, the decisive record, by `measured_without_host`.
    """

    runs_dir: Path
    sweeps: Sequence[Manifest]
    trained: Mapping[str, TrainedRecord]
    timed: Mapping[str, TimedRecord]

    @classmethod
    def read(cls, runs_dir: Path) -> "Folder":
        """Read a folder.

        Raises:
            RecordError: a record cannot be read, with its path.
        """
        timed: dict[str, TimedRecord] = {}
        for record in timed_records(runs_dir):
            measured = measured_without_host(record.architecture, record.measurement.as_json())
            timed[measured] = standing.decisive(timed.get(measured), record)
        trained = {record.key: record for record in trained_records(runs_dir)}
        return cls(runs_dir, manifests(runs_dir), trained, timed)

    def rows(self) -> list[Row]:
        """Every variant that a sweep asked for, then every training that none did."""
        asked = [one for sweep in self.sweeps for one in sweep.variants]
        longest: dict[str | None, int] = {}
        for one in asked:
            longest[one.key] = max(longest.get(one.key, 0), one.steps or 0)
        timed = {one.key for one in asked if one.measured}
        # A variant that one sweep trains, and another trains and times, gets one row.
        variants = {(one.key, one.measured): one for one in asked if one.measured or one.key not in timed}
        found = [self.row(replace(one, steps=longest[one.key] or None)) for one in variants.values()]
        alone = [Wanted(key, [], key, None, None, None) for key in self.trained if key not in longest]
        return found + [self.row(one) for one in alone]

    def unfinished(self) -> list[Manifest]:
        """The sweeps that would find something to do, or to wait for, if they were started again."""
        return [sweep for sweep in self.sweeps if any(self.row(one).state != DONE for one in sweep.variants)]

    def row(self, wanted: Wanted) -> Row:
        """One variant: the first of training and timing that is not done decides."""
        state, detail = self._training(wanted)
        if state == DONE:
            state, detail = self._timing(wanted)
        return Row(wanted.key or wanted.host_key or wanted.name, state, detail)

    def _training(self, wanted: Wanted) -> tuple[str, str]:
        if wanted.key is None:
            return DONE, ""
        if holder := holder_of(self.runs_dir, wanted.key):
            return RUNNING, describe(holder)
        record = self.trained.get(wanted.key)
        reached = standing.of_training(record, wanted.steps)
        if record is None:
            return MISSING, "not trained"
        if reached is Standing.FAILED:
            return "failed", _why(record)
        if reached is Standing.INTERRUPTED:
            since = f"since {_at(record.started_at)}; " if record.started_at else ""
            return "interrupted", f"{since}the next sweep goes on from its checkpoint"
        if reached is Standing.SHORT:
            return MISSING, f"trained for {record.steps:,} of {wanted.steps:,} steps"
        return (MISSING, "trained, not scored") if reached is Standing.UNSCORED else (DONE, "")

    def _timing(self, wanted: Wanted) -> tuple[str, str]:
        if wanted.measured is None:
            return DONE, ""
        if holder := wanted.host_key and holder_of(self.runs_dir, wanted.host_key):
            return RUNNING, describe(holder)
        record = self.timed.get(wanted.measured)
        reached = standing.of_timing(record)
        if record is None:
            return MISSING, "not timed"
        return ("failed", f"timing: {_why(record)}") if reached is Standing.FAILED else (DONE, "")


def describe(holder: Holder) -> str:
    """Where a process works, since when, how far it is, and when it will have finished at this rate."""
    said = f"{holder.work} on {holder.host}, process {holder.process}, since {_at(holder.since)}"
    if holder.step is None or holder.steps is None or holder.noted is None or holder.start_step is None:
        return said
    said += f", step {holder.step:,} of {holder.steps:,}"
    if holder.step > holder.start_step:
        noted, since = (datetime.fromisoformat(when) for when in (holder.noted, holder.since))
        each = (noted - since) / (holder.step - holder.start_step)
        said += f", trained about {_at((noted + each * (holder.steps - holder.step)).isoformat())}"
    return said


def _why(record: TrainedRecord | TimedRecord) -> str:
    recorded = record.attempts if isinstance(record, TrainedRecord) else {}
    # An interruption is no failure.
    attempts = {name: count for name, count in recorded.items() if name != INTERRUPTED}
    failure, count, reason = record.failure, sum(attempts.values()), str(record.reason)
    said = reason if failure is None or reason.startswith(failure) else f"{failure}: {reason}"
    tried = f" (failed {count} times)" if count > 1 else ""
    return said + tried + (" (will be tried again)" if record.retry else "")


def _at(when: str) -> str:
    """Local time, with the date if it is more than half a day away."""
    time = datetime.fromisoformat(when).astimezone()
    near = abs(datetime.now(time.tzinfo) - time) < timedelta(hours=12)
    return f"{time:%H:%M}" if near else f"{time:%Y-%m-%d %H:%M}"


def retry_failed(runs_dir: Path) -> list[str]:
    """Mark all failures, so that the next sweep that asks for them tries again. Returns their keys.

    Raises:
        RecordError: a record cannot be read, with its path.
    """
    paths = files_below(runs_dir / "trained", RECORD_FILE)
    newest = {str(Path(path).parent): path for path in files_below(runs_dir / "timed", ".json")}
    marked = []
    for path in map(Path, [*paths, *newest.values()]):
        record = read_record(path)
        if record.status == "failed":
            mark_to_retry(path)
            marked.append(record.key)
    return marked


def forget(runs_dir: Path, prefix: str) -> str:
    """Remove the training, or the timings, whose key begins with `prefix`. Returns the key.

    Raises:
        ValueError: no key or several begin so, or a process works on it.
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
        with lease(runs_dir, found[0].name, "forget"):  # so that no process begins with it
            gone = found[0].with_name(f".{found[0].name}.{secrets.token_hex(4)}.forgotten")
            found[0].rename(gone)  # atomic: no reader sees half a folder
    except HeldError as error:
        raise ValueError(f"--forget {found[0].name}: {describe(error.holder)}; stop it first") from error
    shutil.rmtree(gone)
    return found[0].name


def table(folder: Folder) -> str:
    """Counts, then a line for each variant, those that need attention last, then how to go on."""
    rows = folder.rows()
    counts = Counter(one.state for one in rows)
    said = ", ".join(f"{counts[state]} {state}" for state in _ORDER if counts[state])
    lines = [f"{folder.runs_dir}: {len(rows)} variants: {said}" if rows else f"{folder.runs_dir}: nothing yet"]
    width = max((len(one.key) for one in rows), default=0)
    for one in sorted(rows, key=lambda one: _ORDER.index(one.state)):
        lines.append(f"{one.state:<12} {one.key:<{width}}  {one.detail}".rstrip())
    lines += [f"go on: python -m enhance_sweep -m {shlex.join(sweep.arguments)}" for sweep in folder.unfinished()]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print how a folder of runs stands; returns 1 after an error."""
    parser = argparse.ArgumentParser(
        prog="python -m enhance_sweep.status",
        description="How the sweeps in a folder stand: done, running (where, since when, until when), interrupted, "
        "failed (why), missing. Times are local.",
    )
    parser.add_argument("--version", action="version", version=VERSION_LINE)
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="folder of runs (default: runs)")
    parser.add_argument(
        "--retry", choices=["failed"], help="mark all failures; the next sweep that asks for them tries again"
    )
    parser.add_argument(
        "--forget", action="append", default=[], metavar="KEY",
        help="remove a training with its weights, or a network's timings; the beginning of the key is enough",
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
