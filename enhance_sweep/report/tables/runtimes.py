"""The networks that were timed in several ways (runtime, precision, layout, allocator, lowered): a table a place."""

from typing import Any

import pandas as pd

from enhance_sweep.records.keys import architecture_slug
from enhance_sweep.records.schema import TimedRecord
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.results.timings import Measured, Place, by_place
from enhance_sweep.report.tables.columns import RUNTIMES
from enhance_sweep.report.tables.model import Facts, Row, Table, cut, ratio_facts, shown_columns, to_csv
from enhance_sweep.report.words import phrase

_OF_MEASUREMENT = ("runtime", "precision", "layout", "allocator", "lowered")
_OF_RECORD = (
    *("latency_ms_median", "latency_ms_iqr", "cpu_s_median", "first_call_ms", "peak_rss_mib", "peak_rss_delta_mib"),
    *("status", "reason", "stopped"),
)


def runtimes_shown(results: Results) -> list[Table]:
    """A table for each place, the baseline's rows first; none if each network was timed in a single way."""
    columns, places = shown_columns(RUNTIMES), by_place(results)
    notes = {place: (phrase("notes", "runtimes"),) for place in list(places)[-1:]}
    tables = []
    for place, measured in places.items():
        every = [_facts(place, one) for one in measured]
        rows = tuple(Row.of(columns, facts, facts["network"], _tag(facts)) for facts in every)
        table = Table(f"Runtimes: {place.text}", columns, rows, file="runtimes.csv", notes=notes.get(place, ()))
        tables.append(cut(table))
    return tables


def _tag(facts: Facts) -> str:
    if facts["status"] == "failed":
        return str(facts["reason"] or "")
    return "timing flagged" if facts["flags"] else ""


def preparing_s(record: TimedRecord) -> float:
    """Seconds of one-off preparation before the first call (export, compilation): the median over processes."""
    processes = record.samples.processes if record.samples else []
    sums = [sum(one.loaded.preparing_ms.values()) if one.loaded else 0.0 for one in processes]
    return float(pd.Series(sums, dtype="float64").median()) / 1e3 if sums else 0.0


def runtimes_csv(results: Results) -> str:
    """The first of those tables for a spreadsheet: a column never mixes hosts."""
    first = list(by_place(results).items())[:1]
    return to_csv(RUNTIMES, [_facts(place, one) for place, rows in first for one in rows])


def _facts(place: Place, measured: Measured) -> dict[str, Any]:
    record = measured.record
    return {
        "network": measured.label,
        "architecture": architecture_slug(record.architecture),
        "host": place.host,
        "threads": place.threads,
        "size": f"{place.size[0]}x{place.size[1]}",
        **{name: getattr(record.measurement, name) for name in _OF_MEASUREMENT},
        **{name: getattr(record, name) for name in _OF_RECORD},
        **ratio_facts("speed_up", measured.ratio),
        "speed_up_over_itself_eager": measured.vs_eager,
        "times_the_arithmetic_limit": measured.to_limit,
        "times_the_roof": measured.to_roof,
        "preparing_s": preparing_s(record),
        "flags": "; ".join(record.flags),
    }
