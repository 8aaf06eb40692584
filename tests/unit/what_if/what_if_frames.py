"""Tables as `load_records` gives them, of networks with known scores and times."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import pandas as pd

from enhance_sweep.paper import published_networks
from enhance_sweep.records.frame import join_records
from enhance_sweep.records.schema import TimedRecord, TrainedRecord, from_builtins
from tests.unit.report import record_factory as make
from tests.unit.report.record_factory import plain

__all__ = ["frame_of", "plain", "published", "strided", "timed", "trained"]

#: The same of all networks.
_DESCRIPTION = {"parameters": 1000, "macs": 10**9}


def strided(kernel_size: int, strided_kernel_size: int, channels: int, prelu: bool = False) -> dict[str, Any]:
    return make.strided(kernel_size, strided_kernel_size, channels) | {"prelu": prelu}


def trained(
    architecture: Mapping[str, Any],
    ms_ssim: float | None,
    seed: int = 0,
    steps: int = 25_000,
    status: str = "completed",
    **learned_from: Any,
) -> TrainedRecord:
    """A trained record; its PSNR is 20 dB more than its MS-SSIM."""
    scores = None if ms_ssim is None else {"ms_ssim": float(ms_ssim), "psnr_db": 20 + float(ms_ssim), "images": 100}
    own: dict[str, Any] = {"scores": scores, "status": status, "description": _DESCRIPTION}
    record = make.trained(dict(architecture), seed=seed, steps=steps, learned_from=learned_from, **own)
    return msgspec.convert(record, TrainedRecord, dec_hook=from_builtins)


def timed(architecture: Mapping[str, Any], latency_ms: float, **measurement: Any) -> TimedRecord:
    own: dict[str, Any] = {"peak_rss_mib": 100 + latency_ms / 10, "description": _DESCRIPTION}
    record = make.timed(dict(architecture), float(latency_ms), measurement=measurement, **own)
    return msgspec.convert(record, TimedRecord)


def frame_of(
    trainings: Iterable[TrainedRecord] = (), timings: Iterable[TimedRecord] = (), **choice: Any
) -> pd.DataFrame:
    return join_records(trainings, timings, **choice)  # type: ignore[arg-type]  # until it takes records


def published() -> pd.DataFrame:
    """The 24 networks of the paper's Tables 1 and 2 with its scores and times."""
    rows = published_networks().to_dict("records")
    return frame_of(
        [trained(row["architecture"], row["ms_ssim"]) for row in rows],
        [timed(row["architecture"], 1000 * row["time_s"]) for row in rows],
    )
