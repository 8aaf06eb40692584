"""The provenance of the figures: data, losses, settings, machines, software, code; each with all its values."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from statistics import median
from typing import Any

import msgspec

from enhance_sweep.records.schema import BEFORE, Environment, Interval, Measurement
from enhance_sweep.report.labels import decimals, is_number, plural
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.results.words import TITLES, plain_text, value_text
from enhance_sweep.system.clock import duration
from enhance_sweep.system.waiting import DEFAULT


def provenance(results: Results) -> list[tuple[str, str]]:
    """The facts on which the figures rest, each with all its values and how many records have them."""
    facts = {fact[0]: _counted(*fact[1:]) for fact in (*_training(results), *_timing(results))}
    walls = [record.train_wall_s for record in results.trained if is_number(record.train_wall_s)]
    if walls:
        facts["Training time"] = f"{duration(median(walls))} a network (median), {duration(sum(walls))} together"
    everything = [*results.trained, *results.timed]
    commits = _alike(record.environment.git_commit for record in everything if record.environment)
    facts["Code (git commit)"] = _counted(commits)
    dates = sorted(record.finished_at for record in everything if record.finished_at)
    facts["Records from"] = " to ".join(dict.fromkeys([dates[0], dates[-1]])) if dates else ""
    return [(name, text) for name, text in facts.items() if text]


_Values = list[tuple[Any, int]]
_Words = Callable[[Any], str]
#: A name, and values with their numbers; with them what puts a value into words, where that is not `plain_text`.
_Fact = tuple[str, _Values] | tuple[str, _Values, _Words]


def _alike(values: Iterable[Any]) -> _Values:
    """The different values and how many there are of each: thousands of records say the same, in shared objects."""
    found = [value for value in values if value is not None]
    texts = {key: msgspec.json.encode(value, enc_hook=str) for key, value in {id(one): one for one in found}.items()}
    counts = Counter(texts[id(value)] for value in found)
    examples = {texts[id(value)]: value for value in found}
    return [(examples[text], count) for text, count in counts.items()]


def _training(results: Results) -> Iterator[_Fact]:
    learned = _alike(record.learned_from for record in results.trained)
    environments = _alike(record.environment for record in results.trained)
    yield "Data set", [(one.dataset, count) for one, count in learned]
    yield "Data fingerprint", [(one.data_fingerprint, count) for one, count in learned]
    yield "Data", _alike(record.data for record in results.trained)
    yield "Loss preset", [(one.loss, count) for one, count in learned]
    yield "Loss terms", [(one.get("loss_terms"), count) for one, count in learned]
    yield "Content network", [(one.content or "none", count) for one, count in learned]
    yield "Generator steps", _alike(record.steps for record in results.trained)
    told = {"dataset", "data_fingerprint", "loss", "loss_terms", "content", "seed"}
    for name in dict.fromkeys(name for one, _ in learned for name in one if name not in told):
        # Of published weights nothing is known but what their record says.
        values = [(one.get(name, None if "weights" in one else BEFORE.get(name)), count) for one, count in learned]
        yield (TITLES.get(name) or name.replace("_", " ")).capitalize(), values, partial(value_text, name)
    yield "Seed", [(one.seed, count) for one, count in learned]
    yield "Training time", []  # its place
    yield "Trained on", environments, _machine
    yield "Trained with", environments, _software


def _timing(results: Results) -> Iterator[_Fact]:
    measurements = _alike(record.measurement for record in results.timed)
    environments = _alike(record.environment for record in results.timed)
    for name in Measurement.__struct_fields__:
        values = [(getattr(one, name), count) for one, count in measurements]
        usual = {"wait_policy": DEFAULT, "lowered": False, "photograph": None}
        if name in usual and {value for value, _ in values} == {usual[name]}:
            continue
        words = _size if name == "size" else plain_text
        yield f"Timing: {name.replace('_', ' ')}", values, words
    yield "Timed on", environments, _machine
    fingerprints = [(one.fingerprint or {}, count) for one, count in environments]
    for name in ("flags", "memory_gib", "libc", "huge_pages"):
        yield f"Timed on: {name.replace('_', ' ')}", [(one.get(name), count) for one, count in fingerprints]
    yield "Timing stopped because", _alike(record.stopped for record in results.timed)
    yield "The baseline against itself", _alike(record.baseline_check for record in results.timed), _interval
    yield "Timed with", environments, _software


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _interval(one: Interval) -> str:
    return f"{decimals(one.median, 3)} (95% interval {decimals(one.low, 3)} to {decimals(one.high, 3)})"


def _machine(one: Environment) -> str:
    parts = [one.host, one.cpu, None if one.cores is None else plural(one.cores, "core"), one.system]
    return ", ".join(filter(None, parts))


def _software(one: Environment) -> str:
    named = {"enhance_sweep": one.enhance_sweep, "Python": one.python, **one.versions}
    named |= {"allocator": one.allocator, "wait policy": one.wait_policy}
    return ", ".join(f"{name} {version}" for name, version in named.items() if version)


def _counted(values: _Values, words: _Words = plain_text, most: int = 6) -> str:
    """The different values, the most frequent first, with their numbers where there are several."""
    counts: Counter[str] = Counter()
    for value, count in values:
        if value is not None and (text := words(value)):
            counts[text] += count
    if len(counts) <= 1:
        return next(iter(counts), "")
    shown = [f"{value} ({count:,})" for value, count in counts.most_common(most)]
    return "; ".join(shown) + (f"; and {len(counts) - most:,} more" if len(counts) > most else "")
