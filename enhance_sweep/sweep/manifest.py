"""A sweep's manifest: its variants, written before the first is trained.

There is one for each command line, `sweeps/<digest>.json`. `python -m enhance_sweep.status` compares it with the
records, and a sweep that is started again learns from it whether code or data have changed.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from enhance_sweep.records.code_versions import canonical
from enhance_sweep.records.keys import digest
from enhance_sweep.records.store import write_json
from enhance_sweep.system.clock import now

FOLDER = "sweeps"


@dataclass(frozen=True)
class Wanted:
    """One variant that a sweep asks for.

    Attributes:
        name: readable.
        overrides: those that select this variant.
        key: of what is learned; None where nothing is.
        steps: of training; None where nothing is learned.
        measured: `measured_without_host` of its timing; None where nothing is timed.
        host_key: the key of its timing, and of the lease on it, on the host where the sweep was started.
    """

    name: str
    overrides: list[str]
    key: str | None
    steps: int | None
    measured: str | None
    host_key: str | None


@dataclass(frozen=True)
class Manifest:
    """A sweep.

    Attributes:
        arguments: of its command line.
        begun_at: when it was first started, ISO 8601.
        code: digest of the code that trains and scores.
        data: fingerprints of the data sets.
        variants: all, in order.
    """

    arguments: list[str]
    begun_at: str
    code: str
    data: list[str]
    variants: list[Wanted]


def measured_without_host(architecture: dict[str, Any], measurement: dict[str, Any]) -> str:
    """What is measured and how, as a digest that is the same on every host."""
    return digest([architecture, {name: value for name, value in measurement.items() if name != "host"}])


def write_manifest(runs_dir: Path, arguments: Sequence[str], code: str, data: list[str], variants: list[Wanted]) -> str:
    """Write the manifest of a sweep that starts, for the first time or again.

    Returns:
        What has changed since it was last started, in words; empty if nothing has.
    """
    path = runs_dir / FOLDER / f"{digest(sorted(arguments), 12)}.json"
    earlier = _read(path)
    begun_at = earlier.begun_at if earlier else now()
    write_json(path, asdict(Manifest(list(arguments), begun_at, code, data, variants)))
    if earlier is None:
        return ""
    changed = [
        f"its {what} has changed ({' '.join(before)} then, {' '.join(after)} now)"
        for what, before, after in (("code", [canonical(earlier.code)], [code]), ("data", earlier.data, data))
        if before != after
    ]
    return f"since this sweep was first started, at {begun_at}, {' and '.join(changed)}" if changed else ""


def manifests(runs_dir: Path) -> list[Manifest]:
    """All sweeps that were started in this folder, the oldest first; unreadable files are skipped."""
    found = [_read(path) for path in sorted((runs_dir / FOLDER).glob("*.json"))]
    return sorted((one for one in found if one is not None), key=lambda one: one.begun_at)


def _read(path: Path) -> Manifest | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
