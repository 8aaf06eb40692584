"""Keys: what makes a network, what it learned from and how it was measured the same as another."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from enhance_sweep.records.schema import ARCHITECTURE_COLUMNS, GAINED_OPTIONS

_ABBREVIATIONS = {"kernel_size": "k", "strided_kernel_size": "s", "channels": "c", "blocks": "b"}

_LONGEST_SLUG = 120


def architecture_of(model: Mapping[str, Any]) -> dict[str, Any]:
    """A network's configuration as its architecture: `topology` and the constructor's arguments.

    An option that a topology gained after its first records is left out where it is off: old keys stand.
    """
    topology = model["name"]
    gained = GAINED_OPTIONS.get(topology, {})
    settings = {name: value for name, value in model.items() if name not in ("_target_", "name", "search")}
    return {"topology": topology} | {n: v for n, v in settings.items() if n not in gained or v != gained[n]}


def digest(value: Any, length: int = 8) -> str:
    """The first `length` hexadecimal digits of the SHA-256 of `value` as canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def architecture_slug(architecture: Mapping[str, Any]) -> str:
    """A short readable name: `plain-k3-c64-b4`, `strided-k3-s4-c16-b2-prelu`, whatever the mapping's order."""
    parts = [str(architecture["topology"])]
    others = sorted(name for name in architecture if name not in ARCHITECTURE_COLUMNS)
    for name in [*ARCHITECTURE_COLUMNS, *others]:
        value = architecture.get(name)
        if name == "topology" or value in (False, None, "none"):
            continue
        parts.append(name if value is True else f"{_ABBREVIATIONS.get(name, name)}{value}")
    return _safe("-".join(parts))


def architecture_key(architecture: Mapping[str, Any]) -> str:
    """The key of a network's shape: `topology` and its constructor's arguments, nothing else."""
    return f"{architecture_slug(architecture)}-{digest(dict(architecture))}"


def learned_key(architecture: Mapping[str, Any], learned_from: Mapping[str, Any]) -> str:
    """The key of everything that decides the weights: the architecture and what it `learned_from`.

    `learned_from` has at least `dataset`, `loss` and `seed`, which make the readable part.
    """
    slug = f"{architecture_slug(architecture)}-{learned_from['dataset']}-{learned_from['loss']}-s{learned_from['seed']}"
    return f"{_safe(slug)}-{digest([dict(architecture), dict(learned_from)])}"


def measured_key(architecture: Mapping[str, Any], measurement: Mapping[str, Any]) -> str:
    """The key of how a speed was measured: the architecture, runtime, precision, ..., host."""
    slug = f"{architecture_slug(architecture)}-{measurement['runtime']}-{measurement['precision']}"
    return f"{_safe(slug)}-{digest([dict(architecture), dict(measurement)])}"


def _safe(slug: str) -> str:
    """A slug that is a file name everywhere; what is cut off is still in the hash that follows it."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", slug).lstrip(".")[:_LONGEST_SLUG]
