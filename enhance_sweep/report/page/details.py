"""The details that the page shows when a reader chooses a network's point or name."""

from typing import Any

import pandas as pd

from enhance_sweep.measures import MEASURES, Measure
from enhance_sweep.records.schema import TRAINED_COLUMNS, TimedRecord, TrainedRecord
from enhance_sweep.report.figures.curve_series import noted, shown_curves
from enhance_sweep.report.figures.frontier_series import measured
from enhance_sweep.report.labels import decimals, is_number, significant
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.results.variants import best_in_order, rows_of
from enhance_sweep.report.results.words import TITLES, plain_text, value_text
from enhance_sweep.report.tables.model import MOST_ROWS
from enhance_sweep.stats.speed_up import disturbances
from enhance_sweep.system.clock import duration

#: The most timing rounds to show for one network.
_MOST_ROUNDS = 200
_CONFIGURATION = ("dataset", "loss", "content", "batch_size", "crop_size", "learning_rate", "schedule", "augment")


def details(results: Results) -> dict[str, dict[str, Any]]:
    """By row of the variants: label, facts, curves, timing samples; plain data for the page's script.

    Of very many rows the page can open the frontier's, the paper's and the best of all others.
    """
    timed = {record.architecture_key: record for record in results.timed}
    found = {}
    for row in rows_of(best_in_order(results.variants, MOST_ROWS, results.quality)):
        record = results.trained[int(row.record)] if pd.notna(row.record) else None
        timing = timed.get(row.architecture_key)
        curves = {name: noted(results, record, name) for name in shown_curves(results).values() if record is not None}
        found[str(row.Index)] = {
            "label": str(row.label),
            "key": str(row.key),
            "facts": _facts(results, row, record, timing),
            "curves": {name: curve for name, curve in curves.items() if curve[0]},
            "rounds": [] if timing is None else _rounds(timing),
        }
    return found


def _facts(
    results: Results, row: Any, record: TrainedRecord | None, timing: TimedRecord | None
) -> list[tuple[str, str]]:
    """The facts about a network, by name, in the order shown."""
    facts = measured(row, results.quality)
    facts |= {name: text for name, text in _panel(row).items() if name not in facts}
    if is_number(row.peak_rss_mib):
        facts["Memory"] = f"{decimals(row.peak_rss_mib, 0)} MiB"
    facts["Timing flagged"] = row.timing_flags or ""
    if pd.notna(row.beats):
        facts["Beats"] = f"{int(row.beats)}; beaten by {int(row.beaten_by)}"
    source = record or timing
    for name, value in source.architecture.items() if source else ():
        facts["PReLU" if name == "prelu" else _heading(name)] = plain_text(value)
    if pd.notna(row.parameters):
        facts["Parameters"] = f"{int(row.parameters):,}"
    if pd.notna(row.macs):
        facts["Multiply-adds at 1280x720"] = f"{significant(row.macs / 1e9)} G"
    if record is not None:
        facts |= _training_facts(record, results.trainings(row.Index), results.quality)
    return [(name, text) for name, text in facts.items() if text]


def _panel(row: Any) -> dict[str, str]:
    """The scores of the measures that older code did not compute, and what is wrong with the color."""
    further = [measure for name, measure in MEASURES.items() if name not in TRAINED_COLUMNS]
    facts = {
        one.label: decimals(getattr(row, one.name), one.digits) for one in further if is_number(getattr(row, one.name))
    }
    if is_number(row.chroma_ratio):
        fault = f", {row.color_fault}" if row.color_fault else ""
        facts["Chroma ratio"] = f"{decimals(row.chroma_ratio, 2)}{fault}"
    return facts


def _training_facts(record: TrainedRecord, trainings: list[TrainedRecord], quality: Measure) -> dict[str, str]:
    learned = record.learned_from
    facts = {_heading(name): plain_text(learned[name]) for name in _CONFIGURATION if name in learned}
    facts |= {title.capitalize(): value_text(name, learned[name]) for name, title in TITLES.items() if name in learned}
    if record.steps is not None:
        facts["Steps"] = f"{record.steps:,}"
    scores = [(one.learned_from.seed, getattr(one.scores, quality.name)) for one in trainings if one.scores]
    seeds = [f"{seed}: {quality.label} {score:.{quality.digits}f}" for seed, score in scores if is_number(score)]
    facts["Seed" if len(seeds) == 1 else "Seeds"] = "; ".join(seeds)
    if record.train_wall_s is not None:
        facts["Training time"] = duration(record.train_wall_s)
    facts["State"] = record.status + (f": {record.reason}" if record.reason else "")
    return facts


def _heading(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _rounds(timing: TimedRecord) -> list[dict[str, Any]]:
    """Every round of a timing: its process, both latencies, whether something disturbed it."""
    processes = timing.samples.processes if timing.samples else []
    rounds = []
    for number, process in enumerate(processes, start=1):
        for one in process.rounds:
            if is_number(one.latency_ms):
                latencies = {"latency_ms": one.latency_ms, "baseline_latency_ms": one.baseline_latency_ms}
                rounds.append({"process": number, **latencies, "disturbed": bool(disturbances(one))})
    return rounds[:_MOST_ROUNDS]
