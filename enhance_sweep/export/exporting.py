"""Export a run's network into a folder with the file, its figures and its card."""

import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from msgspec import convert
from torch import Tensor, nn

from enhance_sweep.export import checking, form, latency, photographs
from enhance_sweep.export.card import model_card
from enhance_sweep.export.formats import ExportError, Format, format_of, versions
from enhance_sweep.frontier import pareto_front
from enhance_sweep.records import load_records
from enhance_sweep.records.schema import SCHEMA, ExportRecord, TrainedRecord
from enhance_sweep.records.store import EXPORT_FILE, GENERATOR_FILE, SCORES_FILE, find_trained, write_json
from enhance_sweep.system.clock import now
from enhance_sweep.system.environment import describe_environment
from enhance_sweep.system.files import remove_leftovers
from enhance_sweep.timing.recording import timed_wait_policy
from enhance_sweep.weights.loading import load_network

CARD_FILE = "README.md"  # where Hugging Face's hub looks for a card
_STEM = "model"
#: What a record holds where the speed was not measured.
_UNTIMED: dict[str, Any] = {"latency_ms_median": None, "flags": [], "samples": None}


def export_run(
    run_dir: Path,
    format: str,
    precision: str,
    out: Path,
    data: Sequence[str] = (),
    timed: bool = True,
    *,
    lowered: bool = True,
) -> Path:
    """Export a trained network, check it, time it, and write it with `export.json` and a card.

    Args:
        run_dir: the variant's folder, `<runs>/trained/<key>`.
        format: one of `enhance_sweep.export.formats.FORMATS`.
        precision: one of `enhance_sweep.export.formats.PRECISIONS`.
        out: the folder of exports; it is written to `out/<key>/<format>-<precision>/`, in place of an older one.
        data: overrides that name the run's data, if it is no longer in the cache.
        timed: whether to measure its speed too.
        lowered: write the network rearranged for speed, where the format takes that and the results stay the same.

    Returns:
        The folder.

    Raises:
        ExportError: the export is not possible here, or does not compute what the network does; nothing is written.
        FileNotFoundError: the run's folder has no network.
        TimingError: its speed could not be measured.
        ValueError: the network is not one of this package's topologies.
        OSError: it cannot be written.
    """
    kind = format_of(format, precision)
    trained, generator_file = _trained(run_dir)
    # Builds this package's own topologies only, so no code from a file runs.
    network = load_network(generator_file)
    pairs = photographs.pairs_of(trained, data)
    allowed = kind.sides(network)
    patches = photographs.calibration_patches(pairs, allowed) if precision == "int8" else []
    folder = out / run_dir.name / f"{format}-{precision}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        file = building / f"{_STEM}{kind.suffix}"
        written = form.to_write(network, kind) if lowered else network
        _convert(kind, written, precision, patches, file)
        about = _about(trained, kind, precision, file)
        timing = latency.timing_of(allowed)
        measurement = latency.measurement_of(format, precision, timing)
        run = kind.open(file, precision, measurement["threads"])
        check = checking.compare(network, run, kind, precision, photographs.whole_photographs())
        scored = checking.score(network, run, kind, *photographs.test_photographs(pairs))
        model = latency.model_of(generator_file)
        speed = latency.time_beside_eager(model, format, precision, file, timing) if timed else {}
        content = {
            **about,
            **({} if allowed.are_any else {"sides": asdict(allowed)}),
            **({} if written is network else {"lowered": True}),
            "calibration_patches": len(patches),
            "check": check,
            "scores": scored.as_json(),
            "measurement": measurement,
            **_UNTIMED,
            **speed,
            "finished_at": now(),
        }
        _write_scores(building / SCORES_FILE, scored)
        record = convert(content, ExportRecord)
        card = model_card(record, trained, kind, _timed_in_words(run_dir.parents[1], run_dir.name))
        (building / CARD_FILE).write_text(card, encoding="utf-8")
        write_json(building / EXPORT_FILE, record)
        _put_in_place(building, folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return folder


def _trained(run_dir: Path) -> tuple[TrainedRecord, Path]:
    """The record and the weights of a completed training."""
    trained = find_trained(run_dir.parents[1], run_dir.name)
    if trained is None or trained.status != "completed":
        raise ExportError(f"{run_dir} holds no completed training: train it first, or name another --run")
    generator_file = run_dir / GENERATOR_FILE
    if not generator_file.is_file():
        raise FileNotFoundError(f"no network at {generator_file}: its weights are gone, train it again")
    return trained, generator_file


def _about(trained: TrainedRecord, kind: Format, precision: str, file: Path) -> dict[str, Any]:
    """An export's network, format, files and environment, for its record; nothing else is in the folder yet."""
    return {
        "schema": SCHEMA,
        "kind": "export",
        **{name: getattr(trained, name) for name in ("key", "architecture_key", "status", "architecture")},
        "description": {name: getattr(trained.description, name) for name in ("parameters", "macs")},
        "format": kind.name,
        "precision": precision,
        "file": file.name,
        "bytes": sum(one.stat().st_size for one in file.parent.iterdir()),
        "versions": versions(kind.packages),
        "environment": describe_environment() | {"wait_policy": timed_wait_policy()},
    }


def _convert(kind: Format, network: nn.Module, precision: str, patches: Sequence[Tensor], file: Path) -> None:
    try:
        with redirect_stdout(sys.stderr):  # converters print progress, and our results go to stdout
            kind.write(network, precision, patches, file)
    except (ExportError, OSError, MemoryError):
        raise
    except Exception as error:  # a converter may raise anything
        first_line = str(error).strip().partition("\n")[0]
        raise ExportError(f"its converter failed ({type(error).__name__}: {first_line:.200})") from error


def _put_in_place(building: Path, folder: Path) -> None:
    """Replace an older folder with the new one, and remove what interrupted exports left."""
    building.chmod(0o755)  # a temporary folder is readable by its owner alone
    remove_leftovers(building)
    if folder.exists():
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as older:
            folder.rename(Path(older) / "older")
            building.rename(folder)
    else:
        building.rename(folder)


def _write_scores(path: Path, scored: checking.Scored) -> None:
    columns: dict[str, Any] = {"name": scored.names}
    columns |= scored.exported
    columns |= {f"eager_{name}": values for name, values in scored.eager.items()}
    pd.DataFrame(columns).to_csv(path, index=False, float_format="%.6f")


def _timed_in_words(runs: Path, key: str) -> str | None:
    """The network's own timing in eager fp32, and whether it is on the frontier of its runs."""
    frame = load_records(runs)
    rows = frame[frame["key"] == key]
    if rows.empty or pd.isna(rows["latency_ms_median"].iloc[0]):
        return None
    row = rows.iloc[0]
    same = frame[frame["data_fingerprint"] == row["data_fingerprint"]] if "data_fingerprint" in frame else frame
    place = "on" if key in set(pareto_front(same)["key"]) else "not on"
    return (
        f"The network in eager fp32, timed beside the paper's baseline: {row['latency_ms_median']:.0f} ms for "
        f"{row['size']} on {row['threads']} threads, host {row['host']}; it is {place} the frontier of its runs."
    )
