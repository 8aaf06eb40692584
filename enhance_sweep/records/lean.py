"""Records as a report of thousands reads them: without what it asks of few of them, which `store.whole` reads then.

What is skipped is not checked, and is not set: whoever takes it for read finds out. Parts in which thousands of records
agree, such as the machine, are read once and shared.
"""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Raw
from msgspec.structs import force_setattr

from enhance_sweep.records.schema import (
    Conditions,
    Description,
    Environment,
    LearnedFrom,
    Measurement,
    Process,
    Round,
    Samples,
    TimedRecord,
    TrainedRecord,
    from_builtins,
)


def _without(kind: type[msgspec.Struct], skipped: Collection[str], **types: Any) -> Any:
    """`kind` that skips some of its fields and reads others as other types."""
    fields: list[Any] = [(name, Any, msgspec.field(default=UNSET, name=f"({name})")) for name in skipped]
    for field in msgspec.structs.fields(kind):
        if field.name in types:
            fields.append((field.name, types[field.name], *([] if field.required else [field.default])))
    return msgspec.defstruct(kind.__name__, fields, bases=(kind,), kw_only=True, frozen=True)


def _only(kind: type[msgspec.Struct], *kept: str, **types: Any) -> Any:
    """`kind` that skips all but some of its fields."""
    return _without(kind, [name for name in kind.__struct_fields__ if name not in (*kept, *types)], **types)


_CONDITIONS = _only(Conditions, "disturbed_by") | None
_ROUND = _only(Round, "latency_ms", "baseline_latency_ms", conditions=_CONDITIONS, baseline_conditions=_CONDITIONS)
_SAMPLES = _only(Samples, processes=list[_only(Process, "loaded", rounds=list[_ROUND])])  # type: ignore[valid-type,misc]
_DESCRIPTION = _only(Description, "height", "width", "parameters", "macs")


def _decoder(
    kind: type[TrainedRecord | TimedRecord], skipped: Collection[str], shared: Mapping[str, Any], **types: Any
) -> "msgspec.json.Decoder[Any]":
    """Reads a kind of record; `shared` gives parts by name, with their types."""
    decoders = {name: msgspec.json.Decoder(type_, dec_hook=from_builtins) for name, type_ in shared.items()}
    known: dict[tuple[str, bytes], Any] = {}

    def share_and_check(record: Any) -> None:
        for name, decoder in decoders.items():
            part = name, bytes(getattr(record, name))
            if part not in known:
                known[part] = decoder.decode(part[1])
            force_setattr(record, name, known[part])
        kind.__post_init__(record)

    raw = [(name, Raw, msgspec.field(default=Raw(b"null"))) for name in shared]
    fields: list[Any] = [*raw, ("path", str, msgspec.field(default="", name="(path)"))]
    lean = msgspec.defstruct(
        kind.__name__,
        fields,
        bases=(_without(kind, skipped, **types),),
        namespace={"__post_init__": share_and_check},
        kw_only=True,
        frozen=True,
    )
    return msgspec.json.Decoder(lean)


_DECODERS = {
    "trained": _decoder(
        TrainedRecord,
        ["traceback", "attempts", "retry", "micro_batches", "process", "pictures"],
        {"learned_from": LearnedFrom, "data": dict[str, Any] | None, "environment": Environment},
        description=_DESCRIPTION,
    ),
    "timed": _decoder(
        TimedRecord,
        ["retry", "repeated_calls", "disturbed_rounds", "check"],
        {"measurement": Measurement, "environment": Environment | None},
        description=_DESCRIPTION,
        samples=_SAMPLES | None,
    ),
}


def decoded(path: str, text: bytes, kind: str) -> Any:
    """A record of a kind, `trained` or `timed`, from a file's content; its `path` tells where the rest of it is.

    Raises:
        MsgspecError: what is read of it is damaged.
    """
    record = _DECODERS[kind].decode(text)
    force_setattr(record, "path", path)
    return record
