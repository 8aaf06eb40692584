"""What the page shows of one network when its point or its name is chosen."""

from typing import Any

import pandas as pd

from enhance_sweep.report.figures.interactive import MEASURES
from enhance_sweep.report.labels import (
    decimals,
    interval_text,
    is_number,
    signed,
    significant,
    speed_up_text,
)
from enhance_sweep.report.results.curves import loss_curve
from enhance_sweep.report.results.gather import Record, Results, in_order, plain_text, rows_of
from enhance_sweep.report.tables.networks import MOST_ROWS, significant_ms
from enhance_sweep.stats.speed_up import disturbances
from enhance_sweep.system.clock import duration

#: Timing rounds shown of one network.
_MOST_ROUNDS = 200
_CONFIGURATION = ("dataset", "loss", "content", "batch_size", "crop_size", "learning_rate", "schedule", "augment")


def detailed(results: Results) -> pd.DataFrame:
    """The rows of the variants that the page can open: the frontier's, the paper's and the best of all others."""
    variants = results.variants
    if len(variants) <= MOST_ROWS:
        return in_order(variants)
    first = variants["on_frontier"].astype(int) * 2 + variants["published"].notna().astype(int)
    order = variants.assign(first=first).sort_values(["first", "ms_ssim"], ascending=False, kind="stable")
    return in_order(variants.loc[order.index[:MOST_ROWS]])


def details(results: Results) -> dict[str, dict[str, Any]]:
    """By row of the variants: label, facts, curves, timing samples; plain data for the page's script."""
    timed = {record["architecture_key"]: record for record in results.timed}
    found = {}
    for row in rows_of(detailed(results)):
        record = results.trained[int(row.record)] if pd.notna(row.record) else None
        timing = timed.get(row.architecture_key)
        found[str(row.Index)] = {
            "label": str(row.label),
            "key": str(row.key),
            "facts": _facts(row, record, timing, results.trainings(row.Index)),
            "curves": {} if record is None else _curves(results, record),
            "rounds": [] if timing is None else _rounds(timing),
        }
    return found


def _facts(row: Any, record: Record | None, timing: Record | None, trainings: list[Record]) -> list[tuple[str, str]]:
    facts = []

    def add(name: str, text: str | None) -> None:
        if text:
            facts.append((name, text))

    error = f" ± {row.ms_ssim_error:.4f}" if is_number(row.ms_ssim_error) else ""
    add("MS-SSIM", f"{row.ms_ssim:.4f}{error}" if is_number(row.ms_ssim) else None)
    add("PSNR", f"{row.psnr_db:.2f} dB" if is_number(row.psnr_db) else None)
    if is_number(row.vs_baseline):
        interval = f"{signed(row.vs_baseline_low, 4)} to {signed(row.vs_baseline_high, 4)}"
        add("MS-SSIM against the baseline", f"{signed(row.vs_baseline, 4)} (95% interval {interval})")
    if is_number(row.speed_up):
        known = is_number(row.speed_up_low) and is_number(row.speed_up_high)
        interval = f" (95% interval {interval_text(row.speed_up_low, row.speed_up_high)})" if known else ""
        add("Speed-up", speed_up_text(row.speed_up) + interval)
    add("Latency", f"{significant_ms(row.latency_ms_median)} ms" if is_number(row.latency_ms_median) else None)
    add("Memory", f"{decimals(row.peak_rss_mib, 0)} MiB" if is_number(row.peak_rss_mib) else None)
    add("Timing flagged", row.timing_flags or None)
    if is_number(row.frontier_probability):
        add("On the frontier with probability", f"{row.frontier_probability:.2f}")
    add("Beats", None if pd.isna(row.beats) else f"{int(row.beats)}; beaten by {int(row.beaten_by)}")
    source = record or timing or {}
    for name, value in (source.get("architecture") or {}).items():
        add("PReLU" if name == "prelu" else str(name).replace("_", " ").capitalize(), plain_text(value))
    add("Parameters", f"{int(row.parameters):,}" if pd.notna(row.parameters) else None)
    add("Multiply-adds at 1280x720", f"{significant(row.macs / 1e9)} G" if pd.notna(row.macs) else None)
    if record is not None:
        learned = record["learned_from"]
        for name in _CONFIGURATION:
            add(name.replace("_", " ").capitalize(), plain_text(learned[name]) if name in learned else None)
        add("Steps", f"{int(record['steps']):,}" if is_number(record.get("steps")) else None)
        seeds = [
            f"{one['learned_from']['seed']}: MS-SSIM {one['scores']['ms_ssim']:.4f}"
            for one in trainings
            if is_number((one.get("scores") or {}).get("ms_ssim"))
        ]
        add("Seed" if len(seeds) == 1 else "Seeds", "; ".join(seeds))
        wall: Any = record.get("train_wall_s")
        add("Training time", duration(wall) if is_number(wall) else None)
        add("State", record["status"] + (f": {record['reason']}" if record.get("reason") else ""))
    return facts


def _curves(results: Results, record: Record) -> dict[str, tuple[list[int], list[float]]]:
    curves = {}
    for measure in MEASURES:
        if measure == "loss":
            curves[measure] = loss_curve(results.runs, record)
            continue
        noted = [one for one in record.get("quality") or [] if is_number(one.get(measure))]
        curves[measure] = ([int(one["step"]) for one in noted], [float(one[measure]) for one in noted])
    return {measure: curve for measure, curve in curves.items() if curve[0]}


def _rounds(timing: Record) -> list[dict[str, Any]]:
    """Every round of a timing: its process, both latencies, whether something disturbed it."""
    samples = timing.get("samples") or {}
    rounds = [
        {
            "process": number,
            "latency_ms": one.get("latency_ms"),
            "baseline_latency_ms": one.get("baseline_latency_ms"),
            "disturbed": bool(disturbances(one)),
        }
        for number, process in enumerate(samples.get("processes") or [], start=1)
        for one in process.get("rounds") or []
    ]
    return [one for one in rounds if is_number(one["latency_ms"])][:_MOST_ROUNDS]
