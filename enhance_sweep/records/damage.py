"""Explains why a file is not a valid record: where it is wrong, what was expected and what was found."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from enhance_sweep.records.schema import KINDS, SCHEMA, STATUSES, Learned, LearnedFrom

_REMEDY = "delete it and run its variant again"
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "object": "a mapping",
    "array": "a list",
    "int | str": "a number or a text",
}


def damage(text: bytes, kind: str | None, error: Exception) -> str:
    """What is wrong with a file, and what to do.

    Args:
        text: its content.
        kind: the kind of record expected; None for any.
        error: the error that reading it raised.
    """
    try:
        record = msgspec.json.decode(text)
    except msgspec.MsgspecError as unreadable:
        return f"is not a readable record ({unreadable}): {_REMEDY}"
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        found = record.get("schema") if isinstance(record, dict) else type(record).__name__
        return f": expected a record of schema {SCHEMA}, found {found}: {_REMEDY}"
    if record.get("kind") not in KINDS:
        return f"lacks a kind (one of {', '.join(KINDS)}): {_REMEDY}"
    if kind not in (None, record["kind"]):
        return f": expected a record of kind {kind}, found {record['kind']}: move it where it belongs"
    lacking = list(_lacking(KINDS[record["kind"]], record))
    if lacking:
        return f"lacks {', '.join(lacking)}: {_REMEDY}"
    return _mistyped(record, str(error))


def _lacking(kind: type, part: dict[str, Any], holder: str = "") -> Iterator[str]:
    """The places of required fields that are missing, nested ones too."""
    for field in msgspec.structs.fields(kind):
        value, place = part.get(field.encode_name), f"{holder}{field.name}"
        inner = Learned if field.type is LearnedFrom else field.type
        if isinstance(value, dict) or (value is None and field.required):
            within = list(_lacking(inner, value or {}, f"{place}.")) if _is_struct(inner) else []
            yield from within or ([place] if value is None else [])


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _mistyped(record: Any, error: str) -> str:
    """msgspec's message (`Expected `int | null`, got `str` - at `$.steps``) with the value that it found."""
    said, _, where = error.partition(" - at `$")
    place = where.partition("`")[0].lstrip(".")
    if said.startswith("lacks "):
        return f"{said}: {_REMEDY}"
    missing = re.match(r"Object missing required field `(.+)`", said)
    if missing:
        return f"lacks {place}.{missing[1]}: {_REMEDY}"
    known = re.match(r"Expected `([^`]+)`", said)
    if known:
        kind = known[1].removesuffix(" | null")
        words = "width and height" if place.endswith("size") else _WORDS.get(kind, kind)
        words += " that is not empty" if "of length >= 1" in said else ""
    elif "enum" in said:
        words = f"one of {', '.join(STATUSES)}"
    else:  # raised by our own checks: the message is complete
        return f": {said}: {_REMEDY}"
    return f": {place}: expected {words}, found {_at(record, place)!r:.80}: {_REMEDY}"


def _at(value: Any, place: str) -> Any:
    """What stands at a place such as `samples.processes[0].warm`; the mapping, where msgspec names no key: `[...]`."""
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", place.partition("[...]")[0]):
        value = value[name if name else int(index)]
    return value
