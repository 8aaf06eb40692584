"""The networks that were timed in several ways: runtime, precision, layout, allocator; a table for each place."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from enhance_sweep.records.keys import architecture_slug
from enhance_sweep.report.labels import decimals, interval_text, network_label, significant, speed_up_text
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.results.timings import Measured, Place, by_place
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

_WAY = ("runtime", "precision", "layout", "allocator")
NOTE = (
    "Speed-up is over the baseline in the same runtime, precision, layout and allocator, called in the same rounds; "
    "“of itself” is over the same network in eager fp32, channels last, tuned allocator, timed in another run. "
    "“Times the limit” is a latency over the time that the network's multiply-adds would take at the rate of a large "
    "matrix product of that precision, measured in the same run. Prepared: exporting and compiling, once."
)


def runtimes_shown(results: Results) -> list[Table]:
    """A table for each place, the baseline's rows first; none where every network was timed in one way alone."""
    groups = (
        *(Group(name.capitalize(), ("",)) for name in _WAY),
        Group("Latency, ms", ("median", "IQR")),
        Group("Speed-up", ("median", INTERVAL)),
        Group("Of itself", ("",)),
        Group("Times the limit", ("",)),
        Group("Memory, MiB", ("",)),
        Group("Prepared, s", ("",)),
    )
    return [
        Table(f"Runtimes: {place.text}", groups, tuple(map(_row, rows[:MOST_ROWS])), max(0, len(rows) - MOST_ROWS))
        for place, rows in by_place(results).items()
    ]


def _row(measured: Measured) -> Row:
    record, ratio = measured.record, measured.ratio
    way = tuple(Cell(str(record["measurement"].get(name) or "").replace("_", " ")) for name in _WAY)
    if record["status"] == "failed":
        not_timed = Cell("not timed", missing=True)
        return Row(measured.label, str(record.get("reason") or ""), (*way, *[not_timed] * 8))
    missing = Cell(NO_RECORD, missing=True)
    prepared = preparing_s(record)
    return Row(
        measured.label,
        "timing flagged" if record.get("flags") else "",
        (
            *way,
            Cell(significant_ms(record["latency_ms_median"])),
            Cell(significant_ms(record["latency_ms_iqr"])) if record.get("latency_ms_iqr") is not None else missing,
            Cell(speed_up_text(ratio.median)) if ratio else missing,
            Cell(interval_text(ratio.low, ratio.high)) if ratio else missing,
            Cell(speed_up_text(measured.vs_eager)) if measured.vs_eager else missing,
            Cell(speed_up_text(measured.to_limit)) if measured.to_limit else missing,
            Cell(decimals(record["peak_rss_mib"], 0)) if record.get("peak_rss_mib") else missing,
            Cell(significant(prepared)) if prepared else Cell("nothing", missing=True),
        ),
    )


def preparing_s(record: Mapping[str, Any]) -> float:
    """Seconds for what a runtime does once before its first call: export and compilation, the median of processes."""
    processes = (record.get("samples") or {}).get("processes") or []
    sums = [sum(((one.get("loaded") or {}).get("preparing_ms") or {}).values()) for one in processes]
    return float(pd.Series(sums, dtype="float64").median()) / 1e3 if sums else 0.0


def runtimes_csv(results: Results) -> str:
    """The first of those tables for a spreadsheet: a column never mixes hosts."""
    rows = [_csv_row(place, one) for place, rows in list(by_place(results).items())[:1] for one in rows]
    return pd.DataFrame(rows, dtype=object).to_csv(index=False, lineterminator="\n")


def _csv_row(place: Place, measured: Measured) -> dict[str, Any]:
    record, ratio = measured.record, measured.ratio
    return {
        "network": network_label(record["architecture"]),
        "architecture": architecture_slug(record["architecture"]),
        "host": place.host,
        "threads": place.threads,
        "size": f"{place.size[0]}x{place.size[1]}",
        **{name: record["measurement"].get(name) for name in _WAY},
        **{name: record.get(name) for name in ("latency_ms_median", "latency_ms_iqr", "cpu_s_median", "first_call_ms")},
        "speed_up": ratio.median if ratio else None,
        "speed_up_low": ratio.low if ratio else None,
        "speed_up_high": ratio.high if ratio else None,
        "speed_up_over_itself_eager": measured.vs_eager,
        "times_the_arithmetic_limit": measured.to_limit,
        "peak_rss_mib": record.get("peak_rss_mib"),
        "peak_rss_delta_mib": record.get("peak_rss_delta_mib"),
        "preparing_s": preparing_s(record),
        "status": record["status"],
        "reason": record.get("reason"),
        "stopped": record.get("stopped"),
        "flags": "; ".join(map(str, record.get("flags") or [])),
    }
