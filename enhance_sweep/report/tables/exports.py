"""Trained networks as files for other runtimes: where each stands beside the networks themselves, and their table."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pandas as pd

from enhance_sweep.frontier import pareto_front
from enhance_sweep.records.keys import architecture_slug
from enhance_sweep.records.schema import Record
from enhance_sweep.report.labels import decimals, interval_text, network_label, signed, speed_up_text
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.tables.networks import (
    INTERVAL,
    MOST_ROWS,
    NO_RECORD,
    Cell,
    Group,
    Row,
    Table,
    significant_ms,
)
from enhance_sweep.stats.speed_up import Ratio, speed_up

NOTE = (
    "Each file is compared with the network that it was made from in eager fp32: scores on the same photographs, times "
    "in alternation on the same host. “Against eager” is a paired difference of MS-SSIM with its 95% interval, or how "
    "many times as fast. “Close” is the smallest PSNR between the two results on whole photographs. In Figure 2 a file "
    "stands at its network's place, moved by these two; files scored on other photographs than the test pairs do not."
)


#: Of a difference of MS-SSIM: rounding errors put no file on the frontier.
_DIGITS = 4


@dataclass(frozen=True)
class Exported:
    """One file.

    Attributes:
        record: its record.
        row: the row of `Results.variants` of the network that it was made from.
        ratio: how many times as fast as that network in eager fp32, with its interval; None where it was not timed.
        cost: in the unit of the report's `cost`; None where the network has none, or the file was not timed.
        ms_ssim: the network's, and what the file's arithmetic changed; None where it was scored on other photographs.
        on_frontier: no network and no other file is both as fast and as good.
    """

    record: Record
    row: int
    ratio: Ratio | None
    cost: float | None
    ms_ssim: float | None
    on_frontier: bool = False

    @property
    def label(self) -> str:
        """The network's short name, format and precision."""
        return f"{network_label(self.record['architecture'])} {self.record['format']} {self.record['precision']}"

    @property
    def placed(self) -> bool:
        """Whether it has a place in Figure 2."""
        return self.cost is not None and self.ms_ssim is not None


@lru_cache(maxsize=1)
def exports(results: Results) -> list[Exported]:
    """The files of the networks that the report shows, by network, format and precision."""
    rows = {str(one["key"]): row for one, row in zip(results.trained, results.row_of, strict=True) if row is not None}
    found = [_placed(results, one, rows[str(one["key"])]) for one in results.exports if str(one["key"]) in rows]
    placed = [number for number, one in enumerate(found) if one.placed]
    scored = results.scored
    everything = pd.DataFrame(
        {
            "cost": [*scored["cost"].astype("float64"), *(found[number].cost for number in placed)],
            "ms_ssim": [*scored["ms_ssim"].astype("float64"), *(found[number].ms_ssim for number in placed)],
        },
        index=[*([-1] * len(scored)), *placed],
        dtype="float64",
    )
    front = set(pareto_front(everything, cost="cost").index)
    return [
        Exported(one.record, one.row, one.ratio, one.cost, one.ms_ssim, number in front)
        for number, one in enumerate(found)
    ]


def _placed(results: Results, record: Record, row: int) -> Exported:
    variant: Any = results.variants.loc[row]
    ratio = speed_up(record.samples)
    timed = ratio is not None and results.cost_kind != "macs" and pd.notna(variant["cost"])
    change = _against_eager(record)["mean"] if record["scores"].get("of_test_pairs") else None
    scored = change is not None and pd.notna(variant["ms_ssim"])
    return Exported(
        record,
        row,
        ratio,
        float(variant["cost"]) / ratio.median if timed and ratio else None,
        float(variant["ms_ssim"]) + round(float(change), _DIGITS) if scored and change is not None else None,
    )


def _against_eager(record: Record) -> Mapping[str, float | None]:
    """The paired difference of MS-SSIM: `mean`, `low`, `high`."""
    none = {"mean": None, "low": None, "high": None}
    return none | ((record["scores"].get("intervals") or {}).get("ms_ssim_over_eager") or {})


def exports_shown(results: Results) -> Table:
    """A row for each file; empty where nothing was exported."""
    groups = (
        Group("Format", ("",)),
        Group("Precision", ("",)),
        Group("Size, KiB", ("",)),
        Group("MS-SSIM", ("of the file", "against eager", INTERVAL)),
        Group("PSNR, dB", ("",)),
        Group("Close, dB", ("",)),
        Group("Latency, ms", ("of the file", "of eager")),
        Group("Speed", ("against eager", INTERVAL)),
    )
    found = exports(results)
    rows = tuple(_row(one) for one in found[:MOST_ROWS])
    return Table("Exports", groups, rows, max(0, len(found) - MOST_ROWS))


def _row(one: Exported) -> Row:
    record, missing, ratio = one.record, Cell(NO_RECORD, missing=True), one.ratio
    scores, change = record["scores"], _against_eager(record)
    close = (record.get("check") or {}).get("psnr_db")
    elsewhere = "" if scores.get("of_test_pairs") else "other photographs"
    tags = ["on the frontier" if one.on_frontier else "", elsewhere, "timing flagged" if record.get("flags") else ""]
    return Row(
        network_label(record["architecture"]),
        ", ".join(filter(None, tags)),
        (
            Cell(str(record["format"])),
            Cell(str(record["precision"])),
            Cell(decimals(record["bytes"] / 1024, 0)),
            _number(scores.get("ms_ssim"), 4),
            missing if change["mean"] is None else Cell(signed(change["mean"], 4)),
            missing
            if change["low"] is None or change["high"] is None
            else Cell(f"{signed(change['low'], 4)} to {signed(change['high'], 4)}"),
            _number(scores.get("psnr_db"), 2),
            Cell("the same") if close is None else _number(close, 1),
            _milliseconds(record.get("latency_ms_median")),
            _milliseconds(record.get("eager_latency_ms_median")),
            Cell(speed_up_text(ratio.median)) if ratio else missing,
            Cell(interval_text(ratio.low, ratio.high)) if ratio else missing,
        ),
        opens=one.row,
    )


def _number(value: float | None, digits: int) -> Cell:
    return Cell(NO_RECORD, missing=True) if value is None else Cell(decimals(value, digits))


def _milliseconds(value: float | None) -> Cell:
    return Cell(NO_RECORD, missing=True) if value is None else Cell(significant_ms(value))


def exports_csv(results: Results) -> str:
    """The same for a spreadsheet."""
    rows = [_csv_row(one) for one in exports(results)]
    return pd.DataFrame(rows, dtype=object).to_csv(index=False, lineterminator="\n")


def _csv_row(one: Exported) -> dict[str, Any]:
    record, change = one.record, _against_eager(one.record)
    return {
        "network": network_label(record["architecture"]),
        "architecture": architecture_slug(record["architecture"]),
        "key": record["key"],
        "format": record["format"],
        "precision": record["precision"],
        "bytes": record["bytes"],
        "scored_on": record["scores"].get("on"),
        **{measure: record["scores"].get(measure) for measure in ("ms_ssim", "psnr_db")},
        "ms_ssim_against_eager": change["mean"],
        "ms_ssim_against_eager_low": change["low"],
        "ms_ssim_against_eager_high": change["high"],
        "close_psnr_db": (record.get("check") or {}).get("psnr_db"),
        "largest_difference": (record.get("check") or {}).get("max_abs_error"),
        **{name: record["measurement"].get(name) for name in ("host", "threads")},
        **{name: record.get(name) for name in ("latency_ms_median", "eager_latency_ms_median", "peak_rss_mib")},
        "speed_against_eager": one.ratio.median if one.ratio else None,
        "speed_against_eager_low": one.ratio.low if one.ratio else None,
        "speed_against_eager_high": one.ratio.high if one.ratio else None,
        "on_frontier": one.on_frontier,
        "flags": "; ".join(map(str, record.get("flags") or [])),
    }
