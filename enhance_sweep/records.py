"""What a run writes down, and how it is found again.

Records are the only thing that passes from running to reporting. A folder of runs holds

    trained/<learned_key>/record.json     one network trained once: what it learned from, its scores, its curve
    timed/<measured_key>/<when>.json      one architecture timed once: how, on which host, every raw sample
    challenge/<architecture_key>/<when>.json  one architecture timed by the PIRM 2018 challenge's rules
    exports/<learned_key>/<format>-<precision>/export.json  a trained network as a file for another runtime, checked

All carry the `architecture_key`. On it `load_records` joins the first two: three seeds of one network share its timing.
Every file is written whole or not at all.
"""

import hashlib
import io
import json
import math
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd

from enhance_sweep.many_files import contents, files_below, files_in
from enhance_sweep.record_shape import ARCHITECTURE_COLUMNS, TIMED_COLUMNS, TRAINED_COLUMNS, lacking, misshapen
from enhance_sweep.whole_files import write_whole

SCHEMA = 1
RECORD_FILE = "record.json"
SCORES_FILE = "scores.csv"
#: Beside a training: the network that came of it.
GENERATOR_FILE = "generator.pt"
EXPORT_FILE = "export.json"

#: What `load_records` shows unless it is asked for something else.
DEFAULT_MEASUREMENT: Mapping[str, Any] = {"runtime": "eager", "precision": "fp32", "allocator": "tuned"}

_ABBREVIATIONS = {"kernel_size": "k", "strided_kernel_size": "s", "channels": "c", "blocks": "b"}

_LONGEST_SLUG = 120


class RecordError(ValueError):
    """A record that cannot be read, with its path and what to do about it."""


# --- keys -------------------------------------------------------------------------------------------------------------


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
        if name == "topology" or value is False or value is None:
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


# --- places -----------------------------------------------------------------------------------------------------------


def trained_dir(runs_dir: Path, key: str) -> Path:
    """The folder of one trained variant: its record, checkpoint, scores and curves."""
    return runs_dir / "trained" / key


def write_trained(runs_dir: Path, record: Mapping[str, Any]) -> Path:
    """Write (or replace, as its status moves on) the record of a trained variant."""
    path = trained_dir(runs_dir, str(record["key"])) / RECORD_FILE
    write_json(path, record)
    return path


def write_timed(runs_dir: Path, record: Mapping[str, Any]) -> Path:
    """Write a new timing beside any earlier ones of the same key; nothing is ever replaced."""
    path = runs_dir / "timed" / str(record["key"]) / f"{_when()}.json"
    write_json(path, record)
    return path


def write_challenge(runs_dir: Path, record: Mapping[str, Any]) -> Path:
    """Write a timing by the challenge's rules beside any earlier ones of that architecture."""
    path = runs_dir / "challenge" / str(record["architecture_key"]) / f"{_when()}.json"
    write_json(path, record)
    return path


def exports_dir(runs_dir: Path) -> Path:
    """Where exports are written unless somebody says otherwise, and where the report looks for them."""
    return runs_dir / "exports"


def _when() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write `value` as JSON to `path`, whole or not at all. Not-a-number becomes null."""
    write_whole(path, json.dumps(_without_nan(value), indent=1, allow_nan=False) + "\n")


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(name): _without_nan(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value


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
        raise OSError(f"{runs_dir} is no folder to write records into ({error}): name another, or mend it") from error


# --- reading ----------------------------------------------------------------------------------------------------------


def read_record(path: Path, kind: str | None = None) -> dict[str, Any]:
    """One record, of `kind` unless that is None.

    Raises:
        RecordError: the file is not one that this version wrote, or of another kind.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path} is not a readable record ({error}): delete it and run its variant again") from error
    return _checked(path, text, kind)


def _read_all(paths: Sequence[str], kind: str) -> Iterator[dict[str, Any]]:
    for path, text in zip(paths, contents(paths), strict=True):
        # One that cannot be read is tried once more, to say why.
        yield read_record(Path(path), kind) if text is None else _checked(path, text, kind)


def _checked(path: str | Path, text: bytes, kind: str | None) -> dict[str, Any]:
    try:
        record = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RecordError(f"{path} is not a readable record ({error}): delete it and run its variant again") from error
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        found = record.get("schema") if isinstance(record, dict) else type(record).__name__
        raise RecordError(
            f"{path}: expected a record of schema {SCHEMA}, found {found}: delete it and run its variant again"
        )
    missing = lacking(record)
    if missing:
        raise RecordError(f"{path} lacks {', '.join(missing)}: delete it and run its variant again")
    for place, value, expected in misshapen(record):
        raise RecordError(f"{path}: {place}: expected {expected}, found {value!r:.80}: delete it and run again")
    if kind not in (None, record["kind"]):
        raise RecordError(f"{path}: expected a record of kind {kind}, found {record['kind']}: move it where it belongs")
    return record


def find_trained(runs_dir: Path, key: str) -> dict[str, Any] | None:
    """The record of a trained variant, or None if there is none yet."""
    path = trained_dir(runs_dir, key) / RECORD_FILE
    return read_record(path, "trained") if path.exists() else None


def trained_records(runs_dir: Path) -> Iterator[dict[str, Any]]:
    """All records of trained variants, in the order of their keys.

    A copy of a variant's folder under another name is no second training: it is passed over.
    """
    paths = files_below(Path(runs_dir) / "trained", RECORD_FILE)
    folders = [Path(path).parent.name for path in paths]
    there = set(folders)
    for folder, record in zip(folders, _read_all(paths, "trained"), strict=True):
        if folder == record["key"] or record["key"] not in there:
            yield record


def timed_records(runs_dir: Path, key: str | None = None) -> Iterator[dict[str, Any]]:
    """All timings (of one measured key), the oldest of each key first."""
    folder = Path(runs_dir) / "timed"
    yield from _read_all(files_in(folder / key, ".json") if key else files_below(folder, ".json"), "timed")


def challenge_records(runs_dir: Path) -> Iterator[dict[str, Any]]:
    """All timings by the challenge's rules (`python -m enhance_sweep.timing --challenge`), by architecture and age."""
    yield from _read_all(files_below(Path(runs_dir) / "challenge", ".json"), "challenge")


def export_records(runs_dir: Path) -> Iterator[dict[str, Any]]:
    """All exports (`python -m enhance_sweep.export`), by the key of what was exported, format and precision."""
    paths = []
    with suppress(FileNotFoundError, NotADirectoryError):
        for folder in sorted(exports_dir(Path(runs_dir)).iterdir()):
            paths += files_below(folder, EXPORT_FILE)
    yield from _read_all(paths, "export")


def image_scores(runs_dir: Path, keys: Iterable[str]) -> dict[str, "np.ndarray[Any, np.dtype[np.float64]]"]:
    """What evaluation left beside records, by key: (images, 4), the PSNR in dB and the MS-SSIM of each test image, then
    those of the untouched input.

    A key whose table is missing or damaged is left out: the record's means stand without it.
    """
    wanted = list(keys)
    read = contents([str(trained_dir(runs_dir, key) / SCORES_FILE) for key in wanted])
    texts = {key: text for key, text in zip(wanted, read, strict=True) if text is not None}
    found = {}
    for key, table in zip(texts, _score_tables(list(texts.values())), strict=True):
        if table is not None:
            found[key] = table
    return found


_SCORE_COLUMNS = ("psnr_db", "ms_ssim", "untouched_psnr_db", "untouched_ms_ssim")


def _score_tables(texts: list[bytes]) -> list["np.ndarray[Any, np.dtype[np.float64]] | None"]:
    """Score tables as numbers: all at once, since thousands one by one take a reader's patience; else one by one."""
    header = ",".join(("name", *_SCORE_COLUMNS)).encode()
    bodies = [text.partition(b"\n") for text in texts]
    if not all(first.strip() == header and rest.endswith(b"\n") for first, _, rest in bodies):
        return [_score_table(text) for text in texts]
    lengths = [rest.count(b"\n") for _, _, rest in bodies]
    try:
        joined = io.BytesIO(header + b"\n" + b"".join(rest for _, _, rest in bodies))
        numbers = pd.read_csv(joined, usecols=list(_SCORE_COLUMNS), dtype=float).to_numpy()
    except (ValueError, pd.errors.ParserError):
        numbers = np.zeros((0, len(_SCORE_COLUMNS)))
    if len(numbers) != sum(lengths):
        return [_score_table(text) for text in texts] if len(texts) > 1 else [None]
    return list(np.split(numbers, np.cumsum(lengths)[:-1])) if texts else []


def _score_table(text: bytes) -> "np.ndarray[Any, np.dtype[np.float64]] | None":
    try:
        return pd.read_csv(io.BytesIO(text), usecols=list(_SCORE_COLUMNS), dtype=float)[list(_SCORE_COLUMNS)].to_numpy()
    except (ValueError, pd.errors.ParserError):
        return None


def load_records(runs_dir: str | Path, measurement: Mapping[str, Any] | None = DEFAULT_MEASUREMENT) -> "pd.DataFrame":
    """All that a folder of runs knows, as a table.

    Args:
        runs_dir: the folder that `python -m enhance_sweep` wrote (`runs_dir=...`, `runs` unless set).
        measurement: which timings to join, by any of their fields (`runtime`, `precision`, `layout`, `size`,
            `threads`, `allocator`, `host`). Of those that fit, one that was completed comes before one that failed, one
            with the baseline beside it before one without, and then the newest. None: a row per pair of a trained
            variant and a timing of its architecture.

    Returns:
        A row per trained variant, joined with its timing where there is one, and a row without scores per
        architecture that was timed but not trained. Times are in ms or s, memory in MiB, as the columns' names say.

    Raises:
        FileNotFoundError: there is no such folder.
        RecordError: a file in it is not a record.
    """
    runs_dir = Path(runs_dir)
    if not runs_dir.is_dir():
        raise FileNotFoundError(
            f"no folder of runs at {runs_dir}: run `python -m enhance_sweep` first, or name the folder with --runs"
        )
    return join_records(trained_records(runs_dir), timed_records(runs_dir), measurement)


def join_records(
    trained: Iterable[Mapping[str, Any]],
    timed: Iterable[Mapping[str, Any]],
    measurement: Mapping[str, Any] | None = DEFAULT_MEASUREMENT,
) -> "pd.DataFrame":
    """The table of `load_records`, from records that are already read.

    A failed timing is joined only where no timing of that architecture was completed, and a first look without the
    baseline beside it (`timing=quick`) only where there is no careful one.
    """
    timings = [_timed_row(record) for record in timed if _fits(record, measurement)]
    timed_rows = pd.DataFrame(timings, dtype=object)
    trained_rows = pd.DataFrame([_trained_row(record) for record in trained], dtype=object)
    columns = _columns(trained_rows, timed_rows)
    if timings and measurement is not None:
        order = timed_rows.assign(completed=timed_rows["timing_status"] == "completed")
        newest = order.sort_values(["completed", "paired", "timed_at"], kind="stable")
        timed_rows = newest.drop_duplicates("architecture_key", keep="last").drop(columns="completed")
    if timed_rows.empty:
        frame = trained_rows
    elif trained_rows.empty:
        frame = timed_rows
    else:
        shape = [c for c in timed_rows.columns if c in trained_rows.columns and c != "architecture_key"]
        frame = trained_rows.merge(timed_rows.drop(columns=shape), on="architecture_key", how="left")
        untrained = timed_rows[~timed_rows["architecture_key"].isin(trained_rows["architecture_key"])]
        frame = pd.concat([frame, untrained], ignore_index=True)
    frame = frame.reindex(columns=columns).astype(object)
    return _typed(frame.assign(key=frame["key"].where(frame["key"].notna(), frame["architecture_key"])))


def _fits(record: Mapping[str, Any], measurement: Mapping[str, Any] | None) -> bool:
    wanted = {name: list(value) if isinstance(value, tuple) else value for name, value in (measurement or {}).items()}
    return all(record["measurement"].get(name) == value for name, value in wanted.items())


def _trained_row(record: Mapping[str, Any]) -> dict[str, Any]:
    learned_from, scores, untouched = record["learned_from"], record.get("scores") or {}, record.get("untouched") or {}
    return {
        "key": record["key"],
        "status": record["status"],
        "reason": record.get("reason"),
        "architecture_key": record["architecture_key"],
        **_architecture_row(record),
        **{name: scores.get(name) for name in TRAINED_COLUMNS},
        "untouched_psnr_db": untouched.get("psnr_db"),
        "untouched_ms_ssim": untouched.get("ms_ssim"),
        "test_images": scores.get("images"),
        "dataset": learned_from["dataset"],
        "data_fingerprint": learned_from["data_fingerprint"],
        "loss": learned_from["loss"],
        "content": learned_from.get("content"),
        "seed": learned_from["seed"],
        "steps": record.get("steps"),
        "batch_size": learned_from.get("batch_size"),
        "crop_size": learned_from.get("crop_size"),
        "train_wall_s": record.get("train_wall_s"),
        "trained_at": record.get("finished_at"),
        "trained_host": record["environment"].get("host"),
        "git_commit": record["environment"].get("git_commit"),
    }


def _timed_row(record: Mapping[str, Any]) -> dict[str, Any]:
    measurement = record["measurement"]
    return {
        "architecture_key": record["architecture_key"],
        **_architecture_row(record),
        **{name: record.get(name) for name in TIMED_COLUMNS},
        "timing_status": record["status"],
        "paired": bool(record.get("baseline")),
        "runtime": measurement["runtime"],
        "precision": measurement["precision"],
        "layout": measurement.get("layout"),
        "size": "x".join(str(side) for side in measurement["size"]),
        "threads": measurement["threads"],
        "allocator": measurement["allocator"],
        "host": measurement["host"],
        "measured_key": record["key"],
        "timed_at": record.get("finished_at") or "",
    }


def _architecture_row(record: Mapping[str, Any]) -> dict[str, Any]:
    description = record["description"]
    return {**record["architecture"], "parameters": description["parameters"], "macs": description["macs"]}


def _columns(*frames: "pd.DataFrame") -> list[str]:
    """The promised columns first, in a fixed order; then whatever else the records brought."""
    promised = ["key", "status", *ARCHITECTURE_COLUMNS, "parameters", "macs", *TRAINED_COLUMNS, *TIMED_COLUMNS]
    return list(dict.fromkeys([*promised, "architecture_key", *(c for frame in frames for c in frame.columns)]))


def _typed(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Numbers as nullable numbers, `prelu` as bool, so that a missing value is missing and not a 0 or a NaN string."""
    shape = ["kernel_size", "strided_kernel_size", "channels", "blocks", "parameters", "macs"]
    counts = [*shape, "steps", "seed", "threads", "batch_size", "crop_size", "test_images"]
    measures = [*TRAINED_COLUMNS, *TIMED_COLUMNS, "untouched_psnr_db", "untouched_ms_ssim", "train_wall_s"]
    for name in [*counts, *measures]:
        if name not in frame:
            continue
        column = frame[name]
        # A new topology may have what is no number here, a list of channels for one: that is left as it is.
        with suppress(TypeError, ValueError, OverflowError):
            frame[name] = column.astype("Int64") if name in counts else column.astype("float64")
    return frame.assign(prelu=frame["prelu"].map(lambda value: value is True).astype(bool))
