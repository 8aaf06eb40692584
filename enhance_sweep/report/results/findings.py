"""The report's findings as facts: which network to take, what is known, what is missing, what must not be compared.

Templates put these facts into words: `headline.j2`, `tiles.j2`, `findings.j2` and `notes.j2`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from enhance_sweep import paper
from enhance_sweep.records.schema import TRAINED_COLUMNS, Scores
from enhance_sweep.report.labels import cut_name
from enhance_sweep.report.results.color_findings import color_sentences
from enhance_sweep.report.results.families import sentence_facts
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.results.select import Condition
from enhance_sweep.report.words import paragraphs, phrase
from enhance_sweep.stats.paired_scores import AS_GOOD, BETTER, UNDECIDED, WORSE

#: More conditions than this are counted, not listed.
_MOST_CONDITIONS = 12
#: Longer names are cut in the first lines, where each has a line or a tile to itself.
_MOST_LETTERS = 48

Facts = dict[str, Any]


def headline(results: Results) -> str:
    """The headline: which network to take, if that is sure; else what the budget is good for, or the timings alone."""
    if not results.trained:
        return phrase("headline", "timed", _timed(results))
    best = _fastest_that_beats_the_baseline(results)
    if best is None:
        return phrase("headline", "budget", _budget(results))
    facts = {"best": best, "to_beat": _baseline(results), "comparisons": results.evidence.comparisons}
    return phrase("headline", "best", facts | {"quality": results.quality})


def findings(results: Results) -> list[str]:
    """The sentences under the headline: what is known, what is missing, what must not be compared."""
    best = _fastest_that_beats_the_baseline(results)
    budget = [] if best is None else [phrase("headline", "budget", _budget(results))]
    of_results: Facts = {"results": results, "evidence": results.evidence, "quality": results.quality}
    facts = _comparisons(results) | sentence_facts(results) | _coverage(results) | _speed(results)
    facts |= _not_comparable(results)
    return [*color_sentences(results), *budget, *paragraphs("findings", of_results | facts)]


def tiles(results: Results) -> list[dict[str, str]]:
    """The two or three figures that answer the question, which network, at what speed: `title`, `value`, `note`."""
    scored, untouched, quality = results.scored, results.untouched, results.quality
    if scored.empty:
        return []
    by = [quality.name, "cost"]  # of equals, the faster
    best = scored.sort_values(by, ascending=[not quality.higher_is_better, True], kind="stable").iloc[0]
    found = [_tile(results, "best", {"network": _network(results, best)}), *_fastest_good_enough(results)]
    if untouched[quality.name] is not None:
        above = len(scored) - int(scored["below_untouched"].sum())
        found.append(_tile(results, "above", {"above": above, "scored": len(scored), "untouched": untouched}))
    return found


def _tile(results: Results, kind: str, facts: Facts) -> dict[str, str]:
    facts = facts | {"quality": results.quality}
    return {part: phrase("tiles", f"{kind}_{part}", facts) for part in ("title", "value", "note")}


def _fastest_good_enough(results: Results) -> list[dict[str, str]]:
    """The fastest network that is surely no worse than the baseline; else the fastest whose mean is as high.

    If the untouched input scores higher than the baseline, its score is the level to reach.
    """
    sure = _fastest_that_beats_the_baseline(results)
    if sure is not None:
        return [_tile(results, "beating", {"network": sure})]
    scored, baseline, level = results.scored, _baseline(results), results.untouched[results.quality.name]
    as_baseline = baseline is not None and not baseline["below_untouched"]
    if baseline is not None and as_baseline:
        level = baseline["quality"]
    if level is None:
        return []
    gains = results.quality.sign * (scored[results.quality.name] - level)
    good = scored[scored["speed_up"].notna() & (gains >= 0)]
    if good.empty:
        return []
    network = _fastest(results, good)
    gain = results.quality.sign * (network["quality"] - level)
    return [_tile(results, "reaching", {"network": network, "gain": gain, "as_baseline": as_baseline})]


# --- networks ---------------------------------------------------------------------------------------------------------


def _network(results: Results, row: "pd.Series[Any]") -> Facts:
    """A row of the variants with None for what is missing.

    Beside its columns: `quality`, its score of the measure that the report goes by; `name`, with the mark of how it was
    trained where not all were trained alike; `short`, the same with fewer settings; `marked`: that mark alone;
    `is_baseline`; `faster`, see `_fastest`. No flag makes the baseline's speed-up doubtful: it is 1 by definition.
    """
    facts: Facts = {str(name): None if pd.isna(value) else value for name, value in row.items()}
    marked = f" (trained as {facts['condition']})" if len(results.training_conditions) > 1 else ""
    is_baseline = facts["slug"] == paper.BASELINE_SLUG
    named = {"name": f"{facts['label']}{marked}", "short": f"{cut_name(str(facts['label']), _MOST_LETTERS)}{marked}"}
    named |= {"marked": marked, "is_baseline": is_baseline}
    named |= {"quality": facts[results.quality.name]}
    return facts | named | {"timing_doubts": "" if is_baseline else facts["timing_doubts"], "faster": None}


def _fastest(results: Results, rows: pd.DataFrame) -> Facts:
    """The fastest of some networks; of those whose timing is not doubtful, where there are any.

    `faster`: the fastest of those that were passed over for it.
    """
    doubtful = (rows["timing_doubts"] != "") & (rows["slug"] != paper.BASELINE_SLUG)
    chosen, first = _highest(rows if doubtful.all() else rows[~doubtful], "speed_up"), _highest(rows, "speed_up")
    passed_over = first["speed_up"] > chosen["speed_up"]
    return _network(results, chosen) | {"faster": _network(results, first) if passed_over else None}


def _highest(rows: pd.DataFrame, column: str) -> "pd.Series[Any]":
    return rows.sort_values(column, ascending=False, kind="stable").iloc[0]


def _baseline(results: Results) -> Facts | None:
    """The scored baseline; under the most frequent training condition where there are several."""
    rows = results.scored[results.scored["slug"] == paper.BASELINE_SLUG].sort_values("condition")
    return _network(results, rows.iloc[0]) if len(rows) else None


def _fastest_that_beats_the_baseline(results: Results) -> Facts | None:
    """Surely faster, and surely not worse; none where the baseline itself does not reach the untouched input."""
    beating = results.variants[results.variants["beats_baseline"].astype(bool)]
    beating = beating[~beating["below_untouched"].astype(bool)]
    return _fastest(results, beating) if len(beating) else None


# --- facts ------------------------------------------------------------------------------------------------------------


def _timed(results: Results) -> Facts:
    """What a folder of timings has where nothing is trained."""
    timed = results.variants[results.variants["timing"].notna()]
    pick = timed[(timed["slug"] == paper.PROPOSED_SLUG) & timed["speed_up"].notna()]
    return {
        "timed": len(timed),
        "by_challenge": len({record.architecture_key for record in results.challenges}),
        "pick": _network(results, pick.iloc[0]) if len(pick) else None,
    }


def _budget(results: Results) -> Facts:
    """Whether the networks beat the untouched input, which is the first thing to know of a budget."""
    scored = results.scored
    below = int(scored["below_untouched"].sum())
    level, quality = results.untouched[results.quality.name], results.quality
    return {"scored": len(scored), "below": below, "level": level, "steps": results.steps, "quality": quality}


def _comparisons(results: Results) -> Facts:
    """What the comparisons with the baseline show, which networks surely beat it, and for which that is undecided."""
    evidence, variants, baseline = results.evidence, results.variants, _baseline(results)
    decisions = variants["vs_baseline_decision"]
    beating = variants[variants["beats_baseline"].astype(bool)]
    return {
        "comparisons": evidence.comparisons,
        "decided": {name: int((decisions == name).sum()) for name in (BETTER, WORSE, AS_GOOD)},
        "tested": baseline is not None and baseline["beaten_by"] is not None and evidence.compared > 1,
        "beating": len(beating),
        "doubtful": int((beating["timing_doubts"] != "").sum()),
        "fastest": _fastest(results, beating) if len(beating) else None,
        "undecided": int(((decisions == UNDECIDED) & (variants["speed_up_low"] > 1)).sum()),
        "several_trainings": int((evidence.quality.trainings > 1).sum()),
    }


def _coverage(results: Results) -> Facts:
    """How many of the paper's networks are scored and timed, and what is unfinished."""
    variants, quality = results.variants, results.quality.name
    published = variants[variants["published"].notna()]
    seeds = [len(str(seeds).split()) for seeds in results.scored["seeds"]]
    return {
        "papers": len(paper.published_networks()),
        "trained": published.loc[published[quality].notna(), "slug"].nunique(),
        "timed": published.loc[published["timing"].notna(), "slug"].nunique(),
        "others": int(results.scored["published"].isna().sum()),
        "failed": sum(problem.what == "training" for problem in results.problems),
        **_without_score(results),
        "psnr_below": int((variants["gain_psnr_db"] < 0).sum()),
        "seeds": seeds,
        "several_seeds": sum(count > 1 for count in seeds),
    }


def _without_score(results: Results) -> Facts:
    """How many trained networks have no score of the report's measure, by the reason; and what lacks those of images.

    `unscored`: none was computed; `too_small`: images so small have none; `undefined`: it is not a number. `lacking`:
    trainings with a score whose table of images is missing or of no use, where others have theirs.
    """
    variants, quality = results.variants, results.quality.name
    found = {"unscored": 0, "too_small": 0, "undefined": 0, "lacking": 0}
    for row in np.flatnonzero(variants["trained"].eq("completed")):
        scores = [record.scores for record in results.trainings(int(row))]
        known = sum(one is not None and getattr(one, quality) is not None for one in scores)
        if known and results.evidence.images:
            found["lacking"] += max(0, known - int(results.evidence.quality.trainings[row]))
        elif not known:
            found[_why_not_scored(scores, quality)] += 1
    return found


def _why_not_scored(scores: Sequence[Scores | None], quality: str) -> str:
    if any(one is not None and quality in one.too_small_for for one in scores):
        return "too_small"
    is_new = quality not in TRAINED_COLUMNS
    return "unscored" if all(one is None or (is_new and one.lacks_measures) for one in scores) else "undefined"


def _speed(results: Results) -> Facts:
    """Why there are no speed-ups, or which networks lack one."""
    scored, variants = results.scored, results.variants
    without = scored[scored["speed_up"].isna()] if results.cost_kind == "speed_up" else scored[:0]
    timed = scored["timing"].notna().any() or (scored.empty and variants["timing"].notna().any())
    none_at_all = results.cost_kind != "speed_up" and not (scored.empty and variants["speed_up"].notna().any())
    return {
        "without_speed_up": len(without),
        "untimed": int(without["timing"].isna().sum()),
        "baseline_missing": none_at_all and timed,
        "scored_untimed": none_at_all and not timed and not scored.empty,
        "nothing_timed": bool(variants["timing"].isna().all()),
    }


def _not_comparable(results: Results) -> Facts:
    """Conditions that differ between rows, so that no reader compares such rows unawares."""
    flagged = results.variants[results.variants["timing_flags"] != ""]

    def listed(conditions: list[Condition]) -> Facts:
        return {"first": conditions[:_MOST_CONDITIONS], "more": max(0, len(conditions) - _MOST_CONDITIONS)}

    return {
        "trained_as": listed(results.training_conditions),
        "timed_as": listed(results.timing_conditions),
        "flagged": len(flagged),
        "first_flagged": _network(results, flagged.iloc[0]) if len(flagged) else None,
    }


# --- notes to figures and tables --------------------------------------------------------------------------------------


def frontier_note(results: Results) -> str:
    """The note under the frontier: what puts a network on it, and what the columns mean."""
    variants, evidence = results.variants, results.evidence
    columns = {"error": f"{results.quality.name}_error"} | {n: n for n in ("frontier_probability", "speed_up_low")}
    has = {name: variants[column].notna().any() for name, column in columns.items()}
    drawn = ["test images", "seeds" if evidence.seed_deviation is not None else "", "timing rounds"]
    drawn = [name for name in drawn if name and (name != "timing rounds" or has["speed_up_low"])]
    return phrase("notes", "frontier", {"results": results, "evidence": evidence, "has": has, "drawn": drawn})


def table_notes(results: Results) -> list[str]:
    """The notes under the tables: why our figures differ from the paper's, what speed-ups and PSNR mean."""
    facts = [("paper", _training(results)), ("speed", _speed_ups(results)), ("psnr", _identical_pairs(results))]
    return list(filter(None, (phrase("notes", block, found) for block, found in facts)))


def paper_time_note() -> str:
    """Why the paper's speed-ups in its tables and its headline do not agree (its own figures)."""
    facts = {
        "baseline_s": paper.baseline_time_s(),
        "proposed_s": float(paper.published_networks()["time_s"][paper.PROPOSED_SLUG]),
        "implied_s": paper.implied_baseline_time_s(),
        "headline": paper.headline_speed_up(),
    }
    return phrase("notes", "paper_times", facts)


def _training(results: Results) -> Facts:
    batches = {record.learned_from.batch_size for record in results.trained}
    return {"dataset": results.dataset, "steps": results.steps, "batch": batches.pop() if len(batches) == 1 else None}


def _speed_ups(results: Results) -> Facts:
    variants = results.variants
    times = variants.loc[variants["slug"] == paper.BASELINE_SLUG, "latency_ms_median"].dropna().drop_duplicates()[:3]
    return {
        "timed": len(results.timed),
        "baseline_ms": [float(ms) for ms in times],
        "speed_ups": int(variants["speed_up"].notna().sum()),
        "paired": int(variants["paired_speed_up"].notna().sum()),
    }


def _identical_pairs(results: Results) -> Facts:
    scores = [record.scores for record in results.trained if record.scores]
    untouched = [record.untouched for record in results.trained if record.untouched]
    return {
        "images": [one.images for one in scores if one.images is not None],
        "untouched": max((one.identical_pairs or 0 for one in untouched), default=0),
        "enhanced": max((one.identical_pairs or 0 for one in scores), default=0),
    }
