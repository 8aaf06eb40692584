"""Latencies under the roof of the machine, or against multiply-adds, and against the paper's."""

import numpy as np

from enhance_sweep.paper import BASELINE_SLUG, PROPOSED_SLUG, published_networks
from enhance_sweep.records.schema import TimedRecord
from enhance_sweep.report.figures.series import Axis, Line, Point, Series, looks_of
from enhance_sweep.report.labels import decimals, network_label, significant_ms
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.results.timings import (
    FEWEST,
    latency_to_limit,
    operations_per_byte,
    paper_times,
    shown_at_one_place,
    under_roofs,
)


def time_series(results: Results) -> Series | None:
    """A roofline; latency against multiply-adds where there are no roofs; None where fewer than a few are timed."""
    shown = [record for record in shown_at_one_place(results) if record.description.macs > 0]
    if len(shown) < FEWEST:
        return None
    if roofed := under_roofs(shown):
        return _roofline(results, roofed)
    rows = {key: row for row, key in enumerate(results.variants["architecture_key"])}
    limits = [latency_to_limit(record) for record in shown]
    points = tuple(
        _time(record, limit, rows.get(record.architecture_key)) for record, limit in zip(shown, limits, strict=True)
    )
    ms_per_gmac = [point.y / limit / point.x for point, limit in zip(points, limits, strict=True) if limit]
    lines = _proportional("arithmetic limit: a large matrix product", points, ms_per_gmac, (0.8, 1.25), "ink", "dash")
    x, y = Axis("multiply-adds, 10⁹ (log scale)"), Axis("latency, ms (log scale)")
    return Series("latency against multiply-adds", x, y, points, looks_of(point.group for point in points), lines)


def paper_time_series(results: Results) -> Series | None:
    """Our times against the paper's, of the published networks; None where fewer than a few are timed."""
    times = paper_times(results)
    if len(times) < FEWEST:
        return None
    table = published_networks()["architecture"]
    rows = {slug: row for row, slug in reversed([*enumerate(results.variants["slug"])])}
    points = tuple(
        Point(
            paper_s,
            ours_s,
            table[slug]["topology"],
            network_label(table[slug]),
            (f"paper {paper_s:.3f} s, here {ours_s:.3f} s",),
            rows.get(slug),
            rank=int(slug in (BASELINE_SLUG, PROPOSED_SLUG)),
        )
        for slug, paper_s, ours_s in times
    )
    lines = _proportional("one ratio for all", points, [p.y / p.x for p in points], (0.85, 1.2), "muted", "dot")
    x, y = Axis("the paper's time, s (log scale)"), Axis("ours, s (log scale)")
    return Series("ours against the paper's", x, y, points, looks_of(point.group for point in points), lines)


def _roofline(results: Results, shown: list[TimedRecord]) -> Series:
    """Each network's rate against its operations per byte, under what the machine allows (Williams et al. 2009)."""
    rows = {key: row for row, key in enumerate(results.variants["architecture_key"])}
    points = []
    for record in shown:
        assert record.roof is not None and record.latency_ms_median is not None, "chosen for that"  # noqa: PT018
        gflops = (record.arithmetic_limit or {})[f"{record.measurement.precision}_gflops"] or 0.0
        ms = record.latency_ms_median
        hover = (f"{significant_ms(ms)} ms, {decimals(ms / record.roof.ms, 2)} times its roof",)
        rate = record.roof.arithmetic_ms * gflops / ms
        per_byte, group = operations_per_byte(record), record.architecture["topology"]
        label, row = network_label(record.architecture), rows.get(record.architecture_key)
        points.append(Point(per_byte, rate, group, label, hover, row))
    rates = [record.arithmetic_limit or {} for record in shown]
    gflops = float(np.median([one[f"{shown[0].measurement.precision}_gflops"] or 0.0 for one in rates]))
    copy = float(np.median([one["copy_gb_per_s"] or 0.0 for one in rates]))
    places = [gflops / copy, *(point.x for point in points)]
    ends = min(places) * 0.6, max(places) * 1.25
    copied = Line(
        f"memory: a copy, {copy:.0f} GB/s", (ends[0], gflops / copy), (ends[0] * copy, gflops), "ink", 1.1, "dot"
    )
    product = f"arithmetic: a matrix product, {gflops:.0f} GFLOP/s"
    multiplied = Line(product, (gflops / copy, ends[1]), (gflops, gflops), "ink", 1.1, "dash")
    x, y = Axis("operations for each byte moved (log scale)"), Axis("10⁹ operations a second (log scale)")
    return Series("roofline", x, y, tuple(points), looks_of(point.group for point in points), (copied, multiplied))


def _time(record: TimedRecord, limit: float | None, row: int | None) -> Point:
    assert record.latency_ms_median is not None, "it is timed"
    gmac, ms = record.description.macs / 1e9, record.latency_ms_median
    time = f"{significant_ms(ms)} ms" + (f", {decimals(limit, 2)} times the limit" if limit else "")
    hover = (f"{decimals(gmac, 1)} GMAC", time)
    return Point(gmac, ms, record.architecture["topology"], network_label(record.architecture), hover, row)


def _proportional(
    name: str, points: tuple[Point, ...], ratios: list[float], beyond: tuple[float, float], color: str, dash: str
) -> tuple[Line, ...]:
    """The line y = (the median ratio) x, reaching a little beyond the points; none where no ratio is known."""
    if not ratios:
        return ()
    ends = (min(point.x for point in points) * beyond[0], max(point.x for point in points) * beyond[1])
    ratio = float(np.median(ratios))
    return (Line(name, ends, (ends[0] * ratio, ends[1] * ratio), color, 1.1, dash),)
