"""The table of networks that a report shows: a row per network and training condition, with its timing."""

from collections import Counter, namedtuple
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pandas as pd

from enhance_sweep.frontier import pareto_front
from enhance_sweep.measures import MEASURES, Measure
from enhance_sweep.paper import BASELINE_SLUG, published_table
from enhance_sweep.records.flags import doubts
from enhance_sweep.records.frame import is_of_a_part, join_records
from enhance_sweep.records.schema import ARCHITECTURE_COLUMNS, BEFORE, SCORE_COLUMNS, TIMED_COLUMNS, TrainedRecord
from enhance_sweep.report.labels import network_labels, spreadsheet_letters
from enhance_sweep.report.results.select import Condition, Timings
from enhance_sweep.report.results.words import canonical_json, differences
from enhance_sweep.stats.speed_up import Ratio

#: Parts of `learned_from` that the report is about as a whole, or that are pooled.
_NOT_A_CONDITION = ("dataset", "data_fingerprint", "loss", "seed")
_SCORES = [*SCORE_COLUMNS, *(f"untouched_{name}" for name in SCORE_COLUMNS)]
_STATES = {"completed": "completed", "running": "unfinished", "failed": "failed"}
#: Longer tables are folded on the page, and have their essential rows first.
MOST_UNFOLDED = 30


def variants_of(
    trained: Sequence[TrainedRecord],
    timings: Timings,
    ratios: Mapping[str, Ratio],
    slugs: Mapping[str, str],
    quality: Measure,
) -> tuple[pd.DataFrame, list[Condition], list[int | None]]:
    """Make the table: a row per network and training condition, with its timing.

    Also returns the conditions, the most frequent first, and for each record the row that pools its scores.

    Args:
        trained: of one data set and loss.
        timings: of networks trained or not.
        ratios: speed-ups by `architecture_key`, where the baseline was called in the same rounds.
        slugs: short names of architectures, by key.
        quality: the measure by which a network is better than the untouched input.
    """
    keys = [_condition_of(record) for record in trained]
    variants = _pooled(trained, timings, keys)
    counts = Counter(variants.loc[variants["status"] == "completed", "condition_key"])
    order = [key for key, _ in counts.most_common()]
    marks = {key: spreadsheet_letters(index) for index, key in enumerate(order)}
    meanings = _meanings([msgspec.json.decode(key) for key in order])
    conditions = [Condition(marks[key], text, counts[key]) for key, text in zip(order, meanings, strict=True)]
    variants["condition"] = variants["condition_key"].map(marks)
    architectures = {
        record.architecture_key: record.architecture for record in (*trained, *timings.chosen, *timings.failed)
    }
    labels = network_labels(architectures)
    tables = {slug: table for table in (1, 2) for slug in published_table(table)["slug"]}
    variants["slug"] = variants["architecture_key"].map(slugs)
    variants["label"] = variants["architecture_key"].map(labels)
    variants["published"] = variants["slug"].map(tables).astype("Int64")
    variants["trained"] = variants["status"].map(_STATES)
    _add_speed(variants, timings, ratios, slugs)
    scores = variants[_SCORES].astype("float64")
    gains = {f"gain_{name}": one.sign * (scores[name] - scores[f"untouched_{name}"]) for name, one in MEASURES.items()}
    below = gains[f"gain_{quality.name}"] < 0
    variants = pd.concat([variants.drop(columns=_SCORES), scores, pd.DataFrame(gains)], axis=1)
    variants["below_untouched"] = below
    places = zip(variants["architecture_key"], variants["condition_key"], variants["trained"], strict=True)
    row_of = {(key, condition): row for row, (key, condition, state) in enumerate(places) if state == "completed"}
    pooled_in = [
        row_of[record.architecture_key, key] if record.status == "completed" else None
        for record, key in zip(trained, keys, strict=True)
    ]
    # A copy: a hundred columns that were added one by one are slow, and pandas says so at each further one.
    return variants.drop(columns=["condition_key"]).copy(), conditions, pooled_in


def _pooled(trained: Sequence[TrainedRecord], timings: Timings, keys: Sequence[bytes]) -> pd.DataFrame:
    """Rows of completed trainings, seeds averaged; then of failed and unfinished ones; then of networks only timed."""
    rows = join_records(trained, [*timings.chosen, *timings.failed], measurement=None)
    untrained = len(rows) - len(trained)
    # There is at most one timing of an architecture here, so the first rows are the records in their order.
    rows["record"] = pd.array([*range(len(trained)), *[None] * untrained], dtype="Int64")
    for name in ("dataset", "seed", "steps", "test_images", *_SCORES, "timing_status", "roof_share"):
        if name not in rows:
            rows[name] = None
    rows["condition_key"] = [*keys, *[b""] * untrained]
    completed = rows[rows["status"] == "completed"]
    # Architectures with only failed or unfinished records have rows too: someone wanted them.
    tried = rows[
        rows["status"].isin(["running", "failed"]) & ~rows["architecture_key"].isin(completed["architecture_key"])
    ]
    tried = tried.sort_values("status", ascending=False).drop_duplicates("architecture_key")
    pooled = completed.drop_duplicates(["architecture_key", "condition_key"]).copy()
    pooled["seeds"] = None
    if len(completed):
        groups = completed.groupby(["architecture_key", "condition_key"], sort=False)
        scores = [*_SCORES, *filter(is_of_a_part, map(str, rows))]
        pooled[scores] = groups[scores].mean().astype("float64").to_numpy()
        seeds: dict[tuple[Any, ...], set[Any]] = {}
        for key, condition, seed in zip(
            *(completed[c] for c in ("architecture_key", "condition_key", "seed")), strict=True
        ):
            seeds.setdefault((key, condition), set()).add(seed)
        pooled["seeds"] = [" ".join(map(str, sorted(of_one, key=str))) for of_one in seeds.values()]
    parts = [part for part in (pooled, tried, rows[rows["status"].isna()]) if len(part)]
    variants = pd.concat(parts, ignore_index=True) if parts else pooled.reset_index(drop=True)
    return variants if "seeds" in variants else variants.assign(seeds=None)


def _meanings(conditions: Sequence[Mapping[str, Any]]) -> list[str]:
    """How each was trained, in words. Of published weights nothing is known but their file."""
    trained_here = iter(differences([one for one in conditions if "weights" not in one]))
    return [
        f"published weights {one['weights']}" if "weights" in one else next(trained_here) or "trained here"
        for one in conditions
    ]


def _condition_of(record: TrainedRecord) -> bytes:
    """The settings on which scores depend beside the network, data, loss and seed; as canonical JSON."""
    learned_from = {n: v for n, v in (BEFORE | record.learned_from).items() if n not in _NOT_A_CONDITION}
    images = record.scores.images if record.scores else None
    return canonical_json(learned_from | {"steps": record.steps, "test images": images})


def _add_speed(variants: pd.DataFrame, timings: Timings, ratios: Mapping[str, Ratio], slugs: Mapping[str, str]) -> None:
    """Add how fast each network is against the baseline, and how it was timed."""
    keys = variants["architecture_key"]
    variants["timing"] = keys.map(timings.mark_of)
    variants["timing_failed"] = variants["timing_status"] == "failed"
    # 1 for the baseline itself by definition; its interval shows the noise.
    medians = {key: 1.0 if slugs[key] == BASELINE_SLUG else ratio.median for key, ratio in ratios.items()}
    variants["paired_speed_up"] = keys.map(medians).astype("float64")
    variants["speed_up_low"] = keys.map({key: ratio.low for key, ratio in ratios.items()}).astype("float64")
    variants["speed_up_high"] = keys.map({key: ratio.high for key, ratio in ratios.items()}).astype("float64")
    unpaired = keys.map(timings.baseline_ms).astype("float64") / variants["latency_ms_median"].astype("float64")
    variants["speed_up"] = variants["paired_speed_up"].fillna(unpaired)
    # A column never mixes hosts: of networks timed elsewhere only the ratio to the baseline there is shown.
    host = variants.get("host", pd.Series(None, index=variants.index, dtype=object))
    usual_host = next(iter(host[variants["timing"] == "T1"]), None)
    variants["timed_elsewhere"] = variants["timing"].notna() & (host != usual_host)
    variants.loc[variants["timed_elsewhere"], [*TIMED_COLUMNS, "roof_share"]] = float("nan")
    flags = {record.architecture_key: record.flags for record in timings.chosen}
    variants["timing_flags"] = ["; ".join(flags.get(key, [])) for key in keys]
    variants["timing_doubts"] = ["; ".join(doubts(flags.get(key, []), key in ratios)) for key in keys]


def usual(column: "pd.Series[Any]") -> float | None:
    """The most frequent value."""
    known = column.dropna()
    return float(known.mode().iloc[0]) if len(known) else None


def in_order(variants: pd.DataFrame) -> pd.DataFrame:
    """The rows by topology and then by size, as a reader would look for them."""
    sizes = {name: pd.to_numeric(variants[name], errors="coerce") for name in ARCHITECTURE_COLUMNS[1:-1]}
    keys = pd.DataFrame({"topology": variants["topology"], **sizes, "prelu": variants["prelu"]}, index=variants.index)
    keys = keys.assign(slug=variants["slug"], condition=variants["condition"])
    return variants.loc[keys.sort_values([str(name) for name in keys], kind="stable").index]


def best_in_order(variants: pd.DataFrame, most: int, quality: Measure) -> pd.DataFrame:
    """The rows in order; of more than `most` the frontier's, the paper's and the best of all others by a measure.

    Of more than `MOST_UNFOLDED` the frontier's come first, then the best.
    """
    first = variants["on_frontier"].astype(int) * 2 + variants["published"].notna()
    directions = [False, not quality.higher_is_better]
    ranked = variants.assign(first=first).sort_values(["first", quality.name], ascending=directions, kind="stable")
    kept = ranked.index[:most]
    if len(kept) <= MOST_UNFOLDED:
        return in_order(variants.loc[kept])
    by = ["on_frontier", quality.name]
    return variants.loc[kept].sort_values(by, ascending=directions, kind="stable")


def differing(variants: pd.DataFrame, settings: Sequence[str]) -> list[str]:
    """Those of some settings in which rows that have them differ."""
    return [name for name in settings if len(set(map(repr, variants[name].dropna()))) > 1]


def rows_of(variants: pd.DataFrame) -> list[Any]:
    """The rows as named tuples, `Index` the row's number."""
    # As pandas' own `itertuples` does, which takes five times as long where a column can have missing values.
    row = namedtuple("Row", ["Index", *variants], rename=True)  # type: ignore[misc]
    columns = [column.to_numpy(dtype=object) for _, column in variants.items()]
    return list(map(row._make, zip(variants.index, *columns, strict=True)))


def plain_rows(variants: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows with missing values as None and numbers as Python's; `row` is their place among the variants."""
    plain = variants.astype(object).where(variants.notna(), None).to_dict("records")
    rows = zip(variants.index, plain, strict=True)
    return [{str(name): value for name, value in row.items()} | {"row": place} for place, row in rows]


def with_frontier(variants: pd.DataFrame, quality: Measure) -> tuple[pd.DataFrame, str]:
    """Mark the frontier of a measure of quality, on the best measure of cost that there is.

    Speed-ups may be compared between hosts, being ratios to a baseline timed beside them; latencies may not, so
    without a baseline only the rows of the first timing condition count. Multiply-adds stand in where nothing is timed.
    """
    scored = variants[variants[quality.name].notna()]
    if scored["speed_up"].notna().any():
        kind, cost = "speed_up", 1.0 / variants["speed_up"]
    elif scored["latency_ms_median"].notna().any():
        kind, cost = "latency_ms", variants["latency_ms_median"].where(variants["timing"] == "T1")
    else:
        kind, cost = "macs", variants["macs"].astype("float64")
    variants = variants.assign(cost=cost.astype("float64"))
    front = pareto_front(variants, cost="cost", quality=quality.name).index
    return variants.assign(on_frontier=variants.index.isin(front)), kind
