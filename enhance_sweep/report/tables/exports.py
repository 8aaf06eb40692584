"""Trained networks exported for other runtimes: their places in Figure 2 and their table."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import pandas as pd

from enhance_sweep.frontier import pareto_front
from enhance_sweep.records.keys import architecture_slug
from enhance_sweep.records.schema import Check, ExportRecord, MeanInterval
from enhance_sweep.report.labels import network_label
from enhance_sweep.report.results.color import color_tag_of
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.tables.columns import EXPORTS
from enhance_sweep.report.tables.model import Row, Table, cut, ratio_facts, shown_columns, to_csv
from enhance_sweep.report.words import phrase
from enhance_sweep.stats.speed_up import Ratio, speed_up

#: Differences of MS-SSIM are rounded to this, so that rounding errors cannot put a file on the frontier.
_DIGITS = 4
_PLACE = ["cost", "ms_ssim"]


@dataclass(frozen=True)
class Exported:
    """One exported file.

    Attributes:
        record: its record.
        row: the row of `Results.variants` of the network that it was made from.
        ratio: how many times as fast as that network in eager fp32, with its interval; None where it was not timed.
        cost: in the unit of the report's `cost`; None where the network has none, or the file was not timed.
        ms_ssim: the network's, and what the file's arithmetic changed; None where it was scored on other photographs.
        on_frontier: whether no network and no other file is both as fast and as good, anywhere in its speed's interval.
        perhaps: whether that holds in some of the interval only.
    """

    record: ExportRecord
    row: int
    ratio: Ratio | None
    cost: float | None
    ms_ssim: float | None
    on_frontier: bool = False
    perhaps: bool = False

    @property
    def place(self) -> str:
        """Whether it is on the frontier, in words; "" where it is not."""
        return "on the frontier" if self.on_frontier else "perhaps on the frontier" if self.perhaps else ""

    @property
    def label(self) -> str:
        """The network's short name, format and precision."""
        return f"{network_label(self.record.architecture)} {self.record.format} {self.record.precision}"


@lru_cache(maxsize=1)
def exports(results: Results) -> list[Exported]:
    """The files of the networks that the report shows, by network, format and precision."""
    rows = {one.key: row for one, row in zip(results.trained, results.row_of, strict=True) if row is not None}
    found = [_placed(results, one, rows[one.key]) for one in results.exports if one.key in rows]
    networks = results.scored[_PLACE].astype("float64").set_axis([-1] * len(results.scored))
    files = pd.DataFrame([(one.cost, one.ms_ssim) for one in found], columns=_PLACE, dtype="float64")
    others = pd.concat([networks, files])
    shown = []
    for number, one in enumerate(found):
        ends = {"median": False, "low": False, "high": False}
        if one.ratio is not None and one.cost is not None and one.ms_ssim is not None:
            cost = one.cost * one.ratio.median
            ends = {end: _stands(others, number, cost / getattr(one.ratio, end), one.ms_ssim) for end in ends}
        shown.append(
            replace(one, on_frontier=all(ends.values()), perhaps=any(ends.values()) and not all(ends.values()))
        )
    return shown


def _stands(others: pd.DataFrame, number: int, cost: float, ms_ssim: float) -> bool:
    """Whether file `number` would be on the frontier at this cost, the others at theirs."""
    placed = pd.concat([others.drop(index=number), pd.DataFrame([(cost, ms_ssim)], [number], _PLACE)])
    return number in pareto_front(placed, cost="cost").index


def _placed(results: Results, record: ExportRecord, row: int) -> Exported:
    variant: Any = results.variants.loc[row]
    ratio = speed_up(record.samples)
    change = _against_eager(record).mean if record.scores.of_test_pairs else None
    cost = ms_ssim = None
    if ratio is not None and results.cost_kind != "macs" and pd.notna(variant["cost"]):
        cost = float(variant["cost"]) / ratio.median
    if change is not None and pd.notna(variant["ms_ssim"]):
        ms_ssim = float(variant["ms_ssim"]) + round(change, _DIGITS)
    return Exported(record, row, ratio, cost, ms_ssim)


def _against_eager(record: ExportRecord) -> MeanInterval:
    """The paired difference of MS-SSIM: `mean`, `low`, `high`."""
    return (record.scores.intervals or {}).get("ms_ssim_over_eager") or MeanInterval()


def exports_shown(results: Results) -> Table:
    """A row for each file; empty where nothing was exported."""
    columns, rows = shown_columns(EXPORTS), []
    for one in exports(results):
        elsewhere = "" if one.record.scores.of_test_pairs else "other photographs"
        flagged = "timing flagged" if one.record.flags else ""
        network: Any = results.variants.loc[one.row]
        color = color_tag_of(network)
        tags = (one.place, color, elsewhere, flagged)
        rows.append(Row.of(columns, facts := _facts(one), facts["network"], *tags))
    return cut(Table("Exports", columns, tuple(rows), file="exports.csv", notes=(phrase("notes", "exports"),)))


def exports_csv(results: Results) -> str:
    """The same for a spreadsheet."""
    return to_csv(EXPORTS, map(_facts, exports(results)))


def _facts(one: Exported) -> dict[str, Any]:
    record, change, check = one.record, _against_eager(one.record), one.record.check or Check()
    of_record = ("key", "format", "precision", "bytes", "latency_ms_median", "eager_latency_ms_median", "peak_rss_mib")
    return {
        "row": one.row,
        "network": network_label(record.architecture),
        "architecture": architecture_slug(record.architecture),
        **{name: getattr(record, name) for name in of_record},
        "scored_on": record.scores.on,
        **{measure: getattr(record.scores, measure) for measure in ("ms_ssim", "psnr_db")},
        "ms_ssim_against_eager": change.mean,
        "ms_ssim_against_eager_low": change.low,
        "ms_ssim_against_eager_high": change.high,
        "close_psnr_db": check.psnr_db,
        "largest_difference": check.max_abs_error,
        "host": record.measurement.host,
        "threads": record.measurement.threads,
        **ratio_facts("speed_against_eager", one.ratio),
        "on_frontier": one.on_frontier,
        "perhaps_on_frontier": one.perhaps,
        "flags": "; ".join(record.flags),
    }
