"""Put values from records into words, and say how several mappings of them differ."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from enhance_sweep.records.schema import LearnedFrom


def canonical_json(value: Any) -> bytes:
    """Encode as JSON with sorted names: equal values give equal bytes."""
    return msgspec.json.encode(value, order="sorted")


def differences(mappings: Sequence[Mapping[str, Any]]) -> list[str]:
    """For each of several mappings, in words, what sets it apart from the others; "" where nothing does.

    A name that is missing counts as None.
    """
    names = sorted({name for mapping in mappings for name in mapping})
    names = [name for name in names if len({canonical_json(mapping.get(name)) for mapping in mappings}) > 1]
    return [", ".join(setting_text(name, mapping.get(name)) for name in names) for mapping in mappings]


#: What stands before the values of some settings of `learned_from`, instead of their names.
TITLES = {"teacher": "taught by", "unlabelled": "photographs without partners"}


def setting_text(name: str, value: Any) -> str:
    """A setting of `learned_from` in words: `crop size 64`, `taught by NAME (weight 1, itself trained on photos)`."""
    return f"{TITLES.get(name) or name.replace('_', ' ')} {value_text(name, value)}"


def value_text(name: str, value: Any) -> str:
    """The value of a setting of `learned_from` in words; the beginning of a fingerprint tells equal names apart."""
    if name not in TITLES or not isinstance(value, Mapping):
        return "nobody" if name == "teacher" and value is None else plain_text(value)
    read = getattr(LearnedFrom({name: value}), name)
    return f"{read} [{read.fingerprint[:8]}]"


def plain_text(value: Any) -> str:
    """A value from a record in words: mappings and lists spelled out, nothing of Python's or JSON's notation."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        # A configured part is named by its class: `ColorLoss (sigma 3.0, amplitude 0.053)`.
        target = str(value.get("_target_", "")).rpartition(".")[2]
        parts = [_named(str(name), item) for name, item in value.items() if name != "_target_"]
        inner = ", ".join(parts)
        return (f"{target} ({inner})" if inner else target) if target else inner or "none"
    if isinstance(value, list | tuple):
        return ", ".join(plain_text(item) for item in value) or "none"
    if isinstance(value, int) and abs(value) >= 10_000:
        return f"{value:,}"
    return str(value)


def _named(name: str, value: Any) -> str:
    nested = isinstance(value, Mapping) and value and "_target_" not in value
    return f"{name.replace('_', ' ')} " + (f"({plain_text(value)})" if nested else plain_text(value))
