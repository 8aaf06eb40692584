"""The provenance of the figures: data, losses, settings, machines, software, code; each with all its values."""

from collections import Counter
from collections.abc import Iterable, Iterator
from statistics import median
from typing import Any

import msgspec

from enhance_sweep.records.schema import Environment, Measurement
from enhance_sweep.report.labels import decimals, is_number, plural
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.results.words import plain_text
from enhance_sweep.system.clock import duration


def provenance(results: Results) -> list[tuple[str, str]]:
    """The facts on which the figures rest, each with all its values and how many records have them."""
    facts = {name: _counted(values) for name, values in (*_training(results), *_timing(results))}
    walls = [record.train_wall_s for record in results.trained if is_number(record.train_wall_s)]
    if walls:
        facts["Training time"] = f"{duration(median(walls))} a network (median), {duration(sum(walls))} together"
    everything = [*results.trained, *results.timed]
    commits = (record.environment.git_commit for record in everything if record.environment)
    facts["Code (git commit)"] = _counted(commits)
    dates = sorted(record.finished_at for record in everything if record.finished_at)
    facts["Records from"] = " to ".join(dict.fromkeys([dates[0], dates[-1]])) if dates else ""
    return [(name, text) for name, text in facts.items() if text]


_Values = tuple[str, Iterable[Any]]


def _training(results: Results) -> Iterator[_Values]:
    learned = [record.learned_from for record in results.trained]
    yield "Data set", [one.dataset for one in learned]
    yield "Data fingerprint", [one.data_fingerprint for one in learned]
    yield "Data", [record.data for record in results.trained]
    yield "Loss preset", [one.loss for one in learned]
    yield "Loss terms", [one.get("loss_terms") for one in learned]
    yield "Content network", [one.content or "none" for one in learned]
    yield "Generator steps", [record.steps for record in results.trained]
    told = {"dataset", "data_fingerprint", "loss", "loss_terms", "content", "seed"}
    for name in dict.fromkeys(name for one in learned for name in one if name not in told):
        yield name.replace("_", " ").capitalize(), [one.get(name) for one in learned]
    yield "Seed", [one.seed for one in learned]
    yield "Training time", []  # its place
    yield "Trained on", [_machine(record.environment) for record in results.trained]
    yield "Trained with", [_software(record.environment) for record in results.trained]


def _timing(results: Results) -> Iterator[_Values]:
    timed = results.timed
    for name in Measurement.__struct_fields__:
        values = [getattr(record.measurement, name) for record in timed]
        yield f"Timing: {name.replace('_', ' ')}", ["x".join(map(str, v)) if name == "size" else v for v in values]
    yield "Timed on", [_machine(record.environment) for record in timed]
    fingerprints = [(record.environment and record.environment.fingerprint) or {} for record in timed]
    for name in ("flags", "memory_gib", "libc", "huge_pages"):
        yield f"Timed on: {name.replace('_', ' ')}", [one.get(name) for one in fingerprints]
    yield "Timing stopped because", [record.stopped for record in timed]
    checks = [record.baseline_check for record in timed if record.baseline_check]
    yield (
        "The baseline against itself",
        [
            f"{decimals(one.median, 3)} (95% interval {decimals(one.low, 3)} to {decimals(one.high, 3)})"
            for one in checks
        ],
    )
    yield "Timed with", [_software(record.environment) for record in timed]


def _machine(environment: Environment | None) -> str | None:
    one = environment or Environment()
    parts = [one.host, one.cpu, None if one.cores is None else plural(one.cores, "core"), one.system]
    return ", ".join(filter(None, parts)) or None


def _software(environment: Environment | None) -> str | None:
    one = environment or Environment()
    named = {"enhance_sweep": one.enhance_sweep, "Python": one.python, **one.versions, "allocator": one.allocator}
    return ", ".join(f"{name} {version}" for name, version in named.items() if version) or None


def _counted(values: Iterable[Any], most: int = 6) -> str:
    """The different values, the most frequent first, with their numbers where there are several."""
    # Counted as JSON first, and put into words once each: thousands of records say the same.
    found = [value for value in values if value is not None]
    told_apart = [value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str) for value in found]
    counts: Counter[str] = Counter()
    words = dict(zip(told_apart, found, strict=True))
    for text, count in Counter(told_apart).items():
        counts[plain_text(words[text])] += count
    if len(counts) <= 1:
        return next(iter(counts), "")
    shown = [f"{value} ({count:,})" for value, count in counts.most_common(most)]
    return "; ".join(shown) + (f"; and {len(counts) - most:,} more" if len(counts) > most else "")
