"""Where records lie, and how they are written and read: whole or not at all."""

import io
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import pandas as pd

from enhance_sweep.records import lean
from enhance_sweep.records.damage import damage
from enhance_sweep.records.schema import (
    KINDS,
    ChallengeRecord,
    ExportRecord,
    Record,
    TimedRecord,
    TrainedRecord,
    from_builtins,
)
from enhance_sweep.system.files import contents, files_below, files_in, files_named, write_whole

RECORD_FILE = "record.json"
SCORES_FILE = "scores.csv"
#: Beside a training: the network that came of it.
GENERATOR_FILE = "generator.pt"
EXPORT_FILE = "export.json"


_Kind = TypeVar("_Kind", bound=TrainedRecord | TimedRecord)


class RecordError(ValueError):
    """A record that cannot be read, with its path and what to do about it."""


def trained_dir(runs_dir: Path, key: str) -> Path:
    """The folder of one trained variant: its record, checkpoint, scores and curves."""
    return runs_dir / "trained" / key


def write_trained(runs_dir: Path, record: TrainedRecord | Mapping[str, Any]) -> Path:
    """Write (or replace, as its status moves on) the record of a trained variant."""
    path = trained_dir(runs_dir, _field(record, "key")) / RECORD_FILE
    write_json(path, record)
    return path


def write_timed(runs_dir: Path, record: TimedRecord | Mapping[str, Any]) -> Path:
    """Write a new timing beside any earlier ones of the same key; nothing is ever replaced."""
    path = runs_dir / "timed" / _field(record, "key") / f"{_when()}.json"
    write_json(path, record)
    return path


def write_challenge(runs_dir: Path, record: ChallengeRecord | Mapping[str, Any]) -> Path:
    """Write a timing by the challenge's rules beside any earlier ones of that architecture."""
    path = runs_dir / "challenge" / _field(record, "architecture_key") / f"{_when()}.json"
    write_json(path, record)
    return path


def exports_dir(runs_dir: Path) -> Path:
    """The default folder of exports, where the report looks for them."""
    return runs_dir / "exports"


def _field(record: Record | Mapping[str, Any], name: str) -> str:
    return str(record[name] if isinstance(record, Mapping) else getattr(record, name))


def _when() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON to `path`, whole or not at all. Not-a-number becomes null."""
    write_whole(path, msgspec.json.format(msgspec.json.encode(value, enc_hook=_plain), indent=1) + b"\n")


def _plain(value: Any) -> float:
    if isinstance(value, float):  # numpy's, which is a float of its own
        return float(value)
    raise TypeError(f"a record holds no {type(value).__name__}")


def mark_to_retry(path: Path) -> None:
    """Mark a failed record to be tried again; all else in its file stays as it is."""
    write_json(path, msgspec.json.decode(path.read_bytes()) | {"retry": True})


def check_writable(runs_dir: Path) -> None:
    """Find out before the work whether records can be written.

    Raises:
        OSError: they cannot, with the folder and what to do.
    """
    try:
        runs_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=runs_dir):
            pass
    except OSError as error:
        raise OSError(
            f"{runs_dir} cannot hold records ({error}): choose another folder or make this one writable"
        ) from error


def read_record(path: Path, kind: str | None = None) -> Any:
    """One record, of `kind` unless that is None.

    Raises:
        RecordError: the file is no record that this version can read.
    """
    return _decoded(path, _content(path), kind)


def _content(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise RecordError(f"{path} is not a readable record ({error}): delete it and run its variant again") from error


def whole(record: _Kind) -> _Kind:
    """A record with all that its file holds, which one that was read `for_report` is without.

    Raises:
        RecordError: the file can no longer be read, or is damaged where it was not read before.
    """
    path = getattr(record, "path", None)
    kind = "trained" if isinstance(record, TrainedRecord) else "timed"
    return read_record(Path(path), kind) if path else record


def _read_all(paths: Sequence[str], kind: str, for_report: bool = False) -> Iterator[Any]:
    for path, text in zip(paths, contents(paths), strict=True):
        # One that cannot be read is tried once more, to say why.
        yield _decoded(path, _content(path) if text is None else text, kind, for_report)


_DECODERS = {kind: msgspec.json.Decoder(type_, dec_hook=from_builtins) for kind, type_ in KINDS.items()}
_OF_ANY_KIND = msgspec.json.Decoder(Record, dec_hook=from_builtins)


def _decoded(path: str | Path, text: bytes, kind: str | None, for_report: bool = False) -> Any:
    if kind and for_report:
        with suppress(msgspec.MsgspecError, UnicodeDecodeError):  # then reading all of it tells what is wrong
            return lean.decoded(str(path), text, kind)
    decoder = _DECODERS[kind] if kind else _OF_ANY_KIND
    try:
        return decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        said = damage(text, kind, error)
        raise RecordError(f"{path}{'' if said.startswith(':') else ' '}{said}") from error


def find_trained(runs_dir: Path, key: str) -> TrainedRecord | None:
    """The record of a trained variant, or None if there is none yet."""
    path = trained_dir(runs_dir, key) / RECORD_FILE
    return read_record(path, "trained") if path.exists() else None


def trained_records(runs_dir: Path, for_report: bool = False) -> Iterator[TrainedRecord]:
    """All records of trained variants, in the order of their keys.

    A copy of a variant's folder under another name is no second training: it is passed over. With `for_report` they
    are read without what a report does not show of all (`records.lean`); `whole` reads the rest.
    """
    paths = files_named(Path(runs_dir) / "trained", RECORD_FILE)
    for path, text in zip(paths, contents(paths), strict=True):
        if text is None and not os.path.lexists(path):
            continue
        record = _decoded(path, _content(path) if text is None else text, "trained", for_report)
        folder = path.rsplit(os.sep, 2)[-2]
        if folder == record.key or not (trained_dir(Path(runs_dir), record.key) / RECORD_FILE).exists():
            yield record


def timed_records(runs_dir: Path, key: str | None = None, for_report: bool = False) -> Iterator[TimedRecord]:
    """All timings (of one measured key), the oldest of each key first; `for_report` as of `trained_records`."""
    folder = Path(runs_dir) / "timed"
    paths = files_in(folder / key, ".json") if key else files_below(folder, ".json")
    yield from _read_all(paths, "timed", for_report)


def challenge_records(runs_dir: Path) -> Iterator[ChallengeRecord]:
    """All timings by the challenge's rules (`python -m enhance_sweep.timing --challenge`), by architecture and age."""
    yield from _read_all(files_below(Path(runs_dir) / "challenge", ".json"), "challenge")


def export_records(runs_dir: Path) -> Iterator[ExportRecord]:
    """All exports (`python -m enhance_sweep.export`), by the key of what was exported, format and precision."""
    paths = []
    with suppress(FileNotFoundError, NotADirectoryError):
        for folder in sorted(exports_dir(Path(runs_dir)).iterdir()):
            paths += files_below(folder, EXPORT_FILE)
    yield from _read_all(paths, "export")


def image_scores(
    runs_dir: Path, keys: Iterable[str], columns: Sequence[str]
) -> dict[str, "np.ndarray[Any, np.dtype[np.float64]]"]:
    """What evaluation left beside records, by key: (images, columns), scores of each test image.

    A column that older code did not write is NaN. A key whose table is missing or damaged is left out: the record's
    means stand without it.

    Args:
        runs_dir: the folder of runs.
        keys: of trained variants.
        columns: names of `MEASURES`, `chroma` or `target_chroma`, in this order; with `untouched_` those of the input.
    """
    wanted = list(keys)
    folder = str(runs_dir / "trained")
    read = contents([f"{folder}/{key}/{SCORES_FILE}" for key in wanted])
    tables: dict[bytes, dict[str, bytes]] = {}
    for key, text in zip(wanted, read, strict=True):
        header, _, rows = (text or b"").partition(b"\n")
        tables.setdefault(header.strip(), {})[key] = rows
    found = {}
    for header, rows_of in tables.items():
        of_header = _score_tables(header, list(rows_of.values()), list(columns))
        found.update({key: table for key, table in zip(rows_of, of_header, strict=True) if table is not None})
    return {key: found[key] for key in wanted if key in found}


def _score_tables(
    header: bytes, rows: list[bytes], columns: list[str]
) -> list["np.ndarray[Any, np.dtype[np.float64]] | None"]:
    """Tables of one header as numbers: all at once, since thousands one by one take a reader's patience."""
    lengths = [text.count(b"\n") for text in rows]
    known = [name for name in columns if name.encode() in header.split(b",")]
    try:
        joined = io.BytesIO(header + b"\n" + b"".join(rows))
        numbers = pd.read_csv(joined, usecols=known, dtype=float).reindex(columns=columns).to_numpy()
    except (ValueError, pd.errors.ParserError):
        numbers = np.zeros((0, len(columns)))
    if known and all(lengths) and len(numbers) == sum(lengths) and all(text.endswith(b"\n") for text in rows):
        return list(np.split(numbers, np.cumsum(lengths)[:-1]))
    if len(rows) == 1:
        return [None]
    return [table for text in rows for table in _score_tables(header, [text], columns)]
