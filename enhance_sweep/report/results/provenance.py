"""What the report's figures rest on: data, losses, settings, machines, software, code; each with all its values."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import pandas as pd

from enhance_sweep.report.labels import decimals, is_number, plural
from enhance_sweep.report.results.gather import Results, plain_text
from enhance_sweep.system.clock import duration


def provenance(results: Results) -> list[tuple[str, str]]:
    """What a reader needs to believe the figures, each with all its values and how many records have them."""
    learned_from = [record["learned_from"] for record in results.trained]
    facts: list[tuple[str, str]] = []

    def add(name: str, values: Iterable[Any]) -> None:
        text = _counted(values)
        if text:
            facts.append((name, text))

    add("Data set", (learned["dataset"] for learned in learned_from))
    add("Data fingerprint", (learned["data_fingerprint"] for learned in learned_from))
    add("Data", (record.get("data") for record in results.trained))
    add("Loss preset", (learned["loss"] for learned in learned_from))
    add("Loss terms", (learned.get("loss_terms") for learned in learned_from))
    add("Content network", (learned.get("content") or "none" for learned in learned_from))
    add("Generator steps", (record.get("steps") for record in results.trained))
    told = {"dataset", "data_fingerprint", "loss", "loss_terms", "content", "seed"}
    for name in dict.fromkeys(name for learned in learned_from for name in learned if name not in told):
        add(name.replace("_", " ").capitalize(), (learned.get(name) for learned in learned_from))
    add("Seed", (learned["seed"] for learned in learned_from))
    walls = [record["train_wall_s"] for record in results.trained if is_number(record.get("train_wall_s"))]
    if walls:
        text = f"{duration(float(pd.Series(walls).median()))} a network (median), {duration(sum(walls))} together"
        facts.append(("Training time", text))
    add("Trained on", (_machine(record) for record in results.trained))
    add("Trained with", (_software(record) for record in results.trained))
    for name in dict.fromkeys(name for record in results.timed for name in record["measurement"]):
        values = (record["measurement"].get(name) for record in results.timed)
        shown = ("x".join(map(str, value)) if name == "size" else value for value in values)
        add(f"Timing: {name.replace('_', ' ')}", shown)
    add("Timed on", (_machine(record) for record in results.timed))
    fingerprints = [(record.get("environment") or {}).get("fingerprint") or {} for record in results.timed]
    for name in ("flags", "memory_gib", "libc", "huge_pages"):
        add(f"Timed on: {name.replace('_', ' ')}", (fingerprint.get(name) for fingerprint in fingerprints))
    add("Timing stopped because", (record.get("stopped") for record in results.timed))
    add("The baseline against itself", (_check_text(record) for record in results.timed))
    add("Timed with", (_software(record) for record in results.timed))
    everything = [*results.trained, *results.timed]
    add("Code (git commit)", ((record.get("environment") or {}).get("git_commit") for record in everything))
    dates = sorted(str(record["finished_at"]) for record in everything if record.get("finished_at"))
    if dates:
        facts.append(("Records from", dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"))
    return facts


def _machine(record: Mapping[str, Any]) -> str | None:
    environment = record.get("environment") or {}
    parts = [environment.get("host"), environment.get("cpu")]
    cores = environment.get("cores")
    parts += [plural(cores, "core")] if isinstance(cores, int) else []
    parts += [environment.get("system")]
    return ", ".join(str(part) for part in parts if part) or None


def _check_text(record: Mapping[str, Any]) -> str | None:
    check = record.get("baseline_check") or {}
    if not all(is_number(check.get(name)) for name in ("median", "low", "high")):
        return None
    return f"{decimals(check['median'], 3)} (95% interval {decimals(check['low'], 3)} to {decimals(check['high'], 3)})"


def _software(record: Mapping[str, Any]) -> str | None:
    environment = record.get("environment") or {}
    versions = environment.get("versions") or {}
    parts = [f"enhance_sweep {environment['enhance_sweep']}"] if environment.get("enhance_sweep") else []
    parts += [f"Python {environment['python']}"] if environment.get("python") else []
    parts += [f"{name} {number}" for name, number in versions.items() if number]
    parts += [f"allocator {environment['allocator']}"] if environment.get("allocator") else []
    return ", ".join(parts) or None


def _counted(values: Iterable[Any], most: int = 6) -> str:
    """The different values, the most frequent first, with their numbers where there are several."""
    # Told apart as JSON, and put into words once each: thousands of records say the same.
    found = [value for value in values if value is not None]
    told_apart = [
        value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str)
        for value in found
    ]
    counts: Counter[str] = Counter()
    words = dict(zip(told_apart, found, strict=True))
    for text, count in Counter(told_apart).items():
        counts[plain_text(words[text])] += count
    if len(counts) <= 1:
        return next(iter(counts), "")
    shown = [f"{value} ({count:,})" for value, count in counts.most_common(most)]
    return "; ".join(shown) + (f"; and {len(counts) - most:,} more" if len(counts) > most else "")
