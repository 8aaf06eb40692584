"""What a sweep was started for: its variants, written down before the first is trained.

`sweeps/<digest>.json`, one file for each command line, is what `python -m enhance_sweep.status` compares the records
with, and what tells a sweep that is started again whether code or data have changed since.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

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
        overrides: what makes it this variant.
        key: of what is learned; None where nothing is.
        steps: of training; None where nothing is learned.
        measured: `measured_without_host` of its timing; None where nothing is timed.
        host_key: the key of its timing on the host that the sweep was started on, whose lease a timing holds.
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
        data: fingerprints of what is learned from.
        variants: all of them, in their order.
    """

    arguments: list[str]
    begun_at: str
    code: str
    data: list[str]
    variants: list[Wanted]


def measured_without_host(architecture: dict[str, Any], measurement: dict[str, Any]) -> str:
    """The same for a timing on whichever host."""
    return digest([architecture, {name: value for name, value in measurement.items() if name != "host"}])


def write_manifest(runs_dir: Path, arguments: Sequence[str], code: str, data: list[str], variants: list[Wanted]) -> str:
    """Write down a sweep that starts, again perhaps. Returns what has changed since it was first started, or ""."""
    path = runs_dir / FOLDER / f"{digest(sorted(arguments), 12)}.json"
    earlier = _read(path)
    if earlier is None:
        begun = now()
        write_json(path, asdict(Manifest(list(arguments), begun, code, data, variants)))
        return ""
    changed = [
        f"its {what} has changed ({' '.join(before)} then, {' '.join(now)} now)"
        for what, before, now in (("code", [canonical(earlier.code)], [code]), ("data", earlier.data, data))
        if before != now
    ]
    write_json(path, asdict(Manifest(list(arguments), earlier.begun_at, code, data, variants)))
    return f"since this sweep was first started, at {earlier.begun_at}, {' and '.join(changed)}" if changed else ""


def manifests(runs_dir: Path) -> list[Manifest]:
    """All sweeps that were started with this folder, the oldest first; what cannot be read is passed over."""
    found = [_read(path) for path in sorted((runs_dir / FOLDER).glob("*.json"))]
    return sorted((one for one in found if one is not None), key=lambda one: one.begun_at)


def _read(path: Path) -> Manifest | None:
    try:
        content = json.loads(path.read_bytes())
        manifest = Manifest(**{**content, "variants": [Wanted(**one) for one in content["variants"]]})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return manifest if _is_whole(manifest) else None


def _is_whole(manifest: Manifest) -> bool:
    """Whether all is as `Manifest` and `Wanted` say, so that nobody who reads it stumbles over it."""
    texts: list[Any] = [manifest.begun_at, manifest.code]
    maybe_texts: list[Any] = []
    for one in manifest.variants:
        texts.append(one.name)
        maybe_texts += (one.key, one.measured, one.host_key)
    for several in (manifest.arguments, manifest.data, *(one.overrides for one in manifest.variants)):
        texts += several if isinstance(several, list) else [None]
    return (
        all(isinstance(text, str) for text in texts)
        and all(text is None or isinstance(text, str) for text in maybe_texts)
        and all(one.steps is None or type(one.steps) is int for one in manifest.variants)
    )
