"""Tables as `load_records` gives them, of networks with known scores and times."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import pandas as pd

from enhance_sweep.paper import published_table
from enhance_sweep.records.frame import join_records
from enhance_sweep.records.keys import architecture_key, learned_key, measured_key
from enhance_sweep.records.schema import SCHEMA, TimedRecord, TrainedRecord, from_builtins

ENVIRONMENT = {"host": "bench-1"}
LEARNED_FROM = {
    "dataset": "dped-iphone",
    "data_fingerprint": "abc",
    "loss": "paper",
    "batch_size": 50,
    "crop_size": 100,
}
MEASUREMENT = {
    "runtime": "eager",
    "precision": "fp32",
    "layout": "channels_last",
    "size": [1280, 720],
    "threads": 2,
    "allocator": "tuned",
    "host": "bench-1",
}


def plain(kernel_size: int, channels: int, blocks: int, prelu: bool = False) -> dict[str, Any]:
    sizes = {"kernel_size": kernel_size, "channels": channels, "blocks": blocks}
    return {"topology": "plain", **sizes, "prelu": prelu}


def strided(kernel_size: int, strided_kernel_size: int, channels: int, prelu: bool = False) -> dict[str, Any]:
    sizes = {"kernel_size": kernel_size, "strided_kernel_size": strided_kernel_size, "channels": channels, "blocks": 2}
    return {"topology": "strided", **sizes, "prelu": prelu}


def trained(architecture: Mapping[str, Any], ms_ssim: float | None, seed: int = 0, **changes: Any) -> TrainedRecord:
    """A trained record; `changes` of what it learned from, or its `status` and `steps`."""
    own = {name: changes.pop(name) for name in ("status", "steps") if name in changes}
    learned_from = LEARNED_FROM | {"seed": seed} | changes
    record = {
        "schema": SCHEMA,
        "kind": "trained",
        "key": learned_key(architecture, learned_from),
        "status": "completed",
        "architecture_key": architecture_key(architecture),
        "architecture": architecture,
        "description": {"parameters": 1000, "macs": 10**9},
        "learned_from": learned_from,
        "environment": ENVIRONMENT,
        "steps": 25_000,
        "scores": None
        if ms_ssim is None
        else {"ms_ssim": float(ms_ssim), "psnr_db": 20 + float(ms_ssim), "images": 100},
        "untouched": {"ms_ssim": 0.8613, "psnr_db": 17.64},
        **own,
    }
    return msgspec.convert(record, TrainedRecord, dec_hook=from_builtins)


def timed(architecture: Mapping[str, Any], latency_ms: float, **changes: Any) -> TimedRecord:
    measurement = MEASUREMENT | changes
    record = {
        "schema": SCHEMA,
        "kind": "timed",
        "key": measured_key(architecture, measurement),
        "status": "completed",
        "architecture_key": architecture_key(architecture),
        "architecture": architecture,
        "description": {"parameters": 1000, "macs": 10**9},
        "measurement": measurement,
        "latency_ms_median": float(latency_ms),
        "peak_rss_mib": 100 + float(latency_ms) / 10,
        "finished_at": "2026-01-01T00:00:00+00:00",
    }
    return msgspec.convert(record, TimedRecord)


def frame_of(
    trainings: Iterable[TrainedRecord] = (), timings: Iterable[TimedRecord] = (), **choice: Any
) -> pd.DataFrame:
    return join_records(trainings, timings, **choice)  # type: ignore[arg-type]  # until it takes records


def published() -> pd.DataFrame:
    """The 24 networks of the paper's Tables 1 and 2 with its scores and times."""
    rows = [row for table in (1, 2) for row in published_table(table).to_dict("records")]
    return frame_of(
        [trained(row["architecture"], row["ms_ssim"]) for row in rows],
        [timed(row["architecture"], 1000 * row["time_s"]) for row in rows],
    )
