"""What the report says in words, all of it made from the records: the finding first, then what it rests on."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import pandas as pd

from enhance_sweep.paper import (
    BASELINE_SLUG,
    baseline_time_s,
    headline_speed_up,
    implied_baseline_time_s,
    published_table,
)
from enhance_sweep.report.labels import (
    decimals,
    interval_text,
    is_number,
    plural,
    signed,
    significant,
    speed_up_text,
)
from enhance_sweep.report.results import timings as speed
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.results.words import plain_text
from enhance_sweep.report.tables.networks import ERROR
from enhance_sweep.stats.paired_scores import MARGIN
from enhance_sweep.system.clock import duration

BASELINE_COMMAND = (
    "python -m enhance_sweep model=plain model.kernel_size=3 model.channels=64 model.blocks=4 stages=[time]"
)


@dataclass(frozen=True)
class Tile:
    """One figure that a reader should take home: what it is of, the figure, and what goes with it."""

    title: str
    value: str
    note: str


def headline(results: Results) -> str:
    """Which network to take, where that is sure; else what the budget is good for."""
    if not results.trained:
        return speed.headline(results)
    best = _fastest_that_beats_the_baseline(results)
    if best is None:
        return _against_untouched(results)
    baseline = _baseline(results)
    trained = "" if baseline is None else _marked("", results, baseline)
    return (
        f"{_name(results, best)} is {speed_up_text(float(best['speed_up']))} as fast as the baseline {{3, 64, 4}}"
        f"{trained} and surely not worse by {MARGIN}: MS-SSIM {signed(float(best['vs_baseline']), 4)} on the same test "
        f"images, 95% interval {signed(float(best['vs_baseline_low']), 4)} to "
        f"{signed(float(best['vs_baseline_high']), 4)}."
    )


def _name(results: Results, row: "pd.Series[Any]") -> str:
    """A network's name, with the mark of how it was trained where not all were trained alike."""
    return _marked(str(row["label"]), results, row)


def _marked(name: str, results: Results, row: "pd.Series[Any]") -> str:
    return f"{name} (trained as {row['condition']})" if len(results.training_conditions) > 1 else name


def _fastest_that_beats_the_baseline(results: Results) -> "pd.Series[Any] | None":
    """Surely faster, and surely not worse; none where the baseline itself does not reach the untouched input."""
    beating = results.variants[results.variants["beats_baseline"].astype(bool)]
    beating = beating[~beating["below_untouched"].astype(bool)]
    return _highest(beating, "speed_up") if len(beating) else None


def _against_untouched(results: Results) -> str:
    """Whether the networks beat the untouched input, which is the first thing to know of a budget."""
    scored, level = results.scored, results.untouched["ms_ssim"]
    if scored.empty:
        return "No network has a score yet."
    count, below = len(scored), int(scored["below_untouched"].sum())
    if level is None:
        return f"{plural(count, 'network')} scored; the untouched input's own score is not in the records."
    if not below:
        few = {1: "The one network scores", 2: "Both networks score"}
        what = few.get(count, f"All {count:,} networks score")
        return f"{what} at or above the untouched input (MS-SSIM {level:.4f})."
    steps = results.steps
    budget = f"{steps[0]:,} steps" if len(steps) == 1 else f"{min(steps):,} to {max(steps):,} steps" if steps else ""
    who = f"{below:,} of {count:,} networks {'scores' if below == 1 else 'score'}"
    who = "The one network scores" if count == 1 else who
    return (
        f"{who} below the untouched input (MS-SSIM {level:.4f}): this budget{f' ({budget})' if budget else ''} "
        "demonstrates the tool; a longer one makes a result."
    )


def tiles(results: Results) -> list[Tile]:
    """The two or three figures that answer the question: which network, at what speed."""
    scored = results.scored
    if scored.empty:
        return []
    best = _highest(scored, "ms_ssim")
    found = [Tile("Best quality", _name(results, best), f"MS-SSIM {best['ms_ssim']:.4f}{_at_speed(best)}")]
    found += _fastest_good_enough(results)
    above = len(scored) - int(scored["below_untouched"].sum())
    level_text = results.untouched["ms_ssim"]
    if level_text is not None:
        note = f"the input itself: MS-SSIM {level_text:.4f}"
        if is_number(results.untouched["psnr_db"]):
            note += f", {results.untouched['psnr_db']:.2f} dB"
        found.append(Tile("Not below the untouched input", f"{above:,} of {len(scored):,}", note))
    return found


def _fastest_good_enough(results: Results) -> list[Tile]:
    """The fastest that surely is no worse than the baseline; where none is, the fastest whose mean is as high.

    Or as high as the untouched input's where that is better than the baseline.
    """
    sure = _fastest_that_beats_the_baseline(results)
    if sure is not None:
        note = f"{_name(results, sure)}, MS-SSIM {signed(float(sure['vs_baseline']), 4)} against {{3, 64, 4}}"
        return [Tile("Fastest that beats the baseline", speed_up_text(float(sure["speed_up"])), note)]
    scored, baseline, level = results.scored, _baseline(results), results.untouched["ms_ssim"]
    against, title = "the untouched input", "Fastest that is not below the untouched input"
    if baseline is not None and not baseline["below_untouched"]:
        level, against, title = float(baseline["ms_ssim"]), "{3, 64, 4}", "Fastest whose mean reaches the baseline's"
    good = scored[scored["speed_up"].notna() & (scored["ms_ssim"] >= level)] if level is not None else scored[:0]
    if level is None or good.empty:
        return []
    fastest = _highest(good, "speed_up")
    note = f"{_name(results, fastest)}, MS-SSIM {signed(float(fastest['ms_ssim']) - level, 4)} against {against}"
    if fastest["slug"] == BASELINE_SLUG and against == "{3, 64, 4}":
        note = "the baseline itself: no faster network's mean reaches its MS-SSIM"
    return [Tile(title, speed_up_text(float(fastest["speed_up"])), note)]


def findings(results: Results) -> list[str]:
    """The sentences under the headline: what is known, what is missing, what must not be compared."""
    said = [] if _fastest_that_beats_the_baseline(results) is None else [_against_untouched(results)]
    said += [*_comparisons(results), *_coverage(results), *_speed(results), *_psnr_below(results)]
    said += _not_comparable(results)
    seeds = [len(str(seeds).split()) for seeds in results.scored["seeds"]]
    if seeds and max(seeds) == 1:
        said.append("Each network was trained once: how much another seed would change its score is not known here.")
    elif seeds:
        several = sum(count > 1 for count in seeds)
        said.append(
            f"{plural(several, 'network')} {'was' if several == 1 else 'were'} trained with several seeds; "
            "the mean of their scores is shown."
        )
    return said


def _comparisons(results: Results) -> list[str]:
    """Who surely beats the baseline, how large the frontier is, and what another seed would change."""
    evidence, variants, baseline = results.evidence, results.variants, _baseline(results)
    said = []
    if baseline is not None and variants["vs_baseline"].notna().any():
        rule = f"surely faster, and surely not worse by {MARGIN} MS-SSIM on the same {evidence.images:,} test images"
        beating = variants[variants["beats_baseline"].astype(bool)]
        if len(beating):
            best = _highest(beating, "speed_up")
            ratio = f"{speed_up_text(best['speed_up'])} ({interval_text(best['speed_up_low'], best['speed_up_high'])})"
            text = (
                f"{plural(len(beating), 'network')} {'beats' if len(beating) == 1 else 'beat'} the baseline ({rule}). "
                f"The fastest is {_name(results, best)}: {ratio} its speed, MS-SSIM {signed(best['vs_baseline'], 4)} "
                f"({signed(best['vs_baseline_low'], 4)} to {signed(best['vs_baseline_high'], 4)})."
            )
        elif pd.isna(baseline["beaten_by"]) or evidence.compared < 2:
            text = (
                f"Whether any network beats the baseline ({rule}) is not tested here: no other speed-up has an "
                "interval, which takes timings with the baseline beside each (timing=default)."
            )
        else:
            text = f"No network beats the baseline ({rule})."
        open_ones = variants[variants["vs_baseline"].notna() & ~variants["beats_baseline"].astype(bool)]
        open_ones = open_ones[(open_ones["vs_baseline_high"] > -MARGIN) & (open_ones["speed_up_low"] > 1)]
        if len(open_ones):
            text += f" Of {plural(len(open_ones), 'faster one')} it is not decided."
        said.append(text)
    volume = evidence.hypervolume
    if volume is not None:
        said.append(
            f"The frontier's hypervolume is {volume.value:.4f} (95% interval {volume.low:.4f} to {volume.high:.4f}): "
            "MS-SSIM over the untouched input, summed over latency as a share of the baseline's."
        )
    if evidence.seed_deviation is not None:
        scores = evidence.scores["ms_ssim"]
        several = int((scores.trainings > 1).sum())
        said.append(
            f"Another seed changes a network's MS-SSIM by {evidence.seed_deviation:.4f} (standard deviation, "
            f"{plural(scores.seed_freedom, 'degree')} of freedom, pooled over {plural(several, 'network')} trained "
            "several times); every interval of MS-SSIM counts it."
        )
    return said


def _highest(rows: pd.DataFrame, column: str) -> "pd.Series[Any]":
    return rows.sort_values(column, ascending=False, kind="stable").iloc[0]


def _at_speed(row: "pd.Series[Any]") -> str:
    if is_number(row["speed_up"]):
        return f", {speed_up_text(float(row['speed_up']))} the baseline's speed"
    if is_number(row["latency_ms_median"]):
        return f", {significant(float(row['latency_ms_median']))} ms"
    return ", not timed"


def _baseline(results: Results) -> "pd.Series[Any] | None":
    """The scored baseline; under the most frequent training condition where there are several."""
    rows = results.scored[results.scored["slug"] == BASELINE_SLUG].sort_values("condition")
    return rows.iloc[0] if len(rows) else None


def _coverage(results: Results) -> list[str]:
    """How much of the paper's tables is there, and what is unfinished."""
    published = results.variants[results.variants["published"].notna()]
    total = sum(len(published_table(table)) for table in (1, 2))
    trained = published.loc[published["ms_ssim"].notna(), "slug"].nunique()
    timed = published.loc[published["timing"].notna(), "slug"].nunique()
    others = results.scored["published"].isna().sum()
    said = [
        f"Of the paper's {total} networks {trained} have a score and {timed} a speed here"
        + (f"; {plural(int(others), 'other network')} {'has' if others == 1 else 'have'} a score." if others else ".")
    ]
    unfinished, failed = len(results.unfinished), sum(problem.what == "training" for problem in results.problems)
    if unfinished:
        verb = "is" if unfinished == 1 else "are"
        said.append(f"{plural(unfinished, 'training run')} {verb} unfinished: still running, or interrupted.")
    if failed:
        said.append(f"{plural(failed, 'training run')} failed; the reasons are listed below.")
    if len(results.codes) > 1:
        versions = ", ".join(f"{code} ({count:,})" for code, count in sorted(results.codes.items()))
        said.append(
            f"Different versions of the code trained them: {versions}. What differs between networks may be the code's."
        )
    undefined = results.variants["trained"].eq("completed") & results.variants["ms_ssim"].isna()
    if undefined.any():
        said.append(
            f"{plural(int(undefined.sum()), 'trained network')} {'has' if undefined.sum() == 1 else 'have'} no MS-SSIM "
            "(it is not a number) and no place in the figure."
        )
    return said


def _speed(results: Results) -> list[str]:
    """Why there are no speed-ups, or for whom there are none."""
    scored = results.scored
    if results.cost_kind == "speed_up":
        without = scored[scored["speed_up"].isna()]
        if without.empty:
            return []
        untimed = int(without["timing"].isna().sum())
        strangers = len(without) - untimed
        reasons = []
        if untimed:
            reasons.append(f"{untimed:,} not timed")
        if strangers:
            reasons.append(f"{strangers:,} timed where the baseline was not")
        verb = "has" if len(without) == 1 else "have"
        return [f"{plural(len(without), 'scored network')} {verb} no speed-up: {', '.join(reasons)}."]
    variants = results.variants
    if scored["timing"].notna().any() or (variants["timing"].notna() & scored.empty).any():
        if scored.empty and variants["speed_up"].notna().any():
            return []
        return [
            "There are no speed-ups: the baseline {3, 64, 4} is not timed on the same host with the same measurement. "
            f"Time it with: {BASELINE_COMMAND}"
        ]
    if scored.empty:
        return []
    nothing = "Nothing is timed" if variants["timing"].isna().all() else "No scored network is timed"
    return [f"{nothing}, so there are no speed-ups: multiply-adds stand in their place, which are not speed."]


def _psnr_below(results: Results) -> list[str]:
    below = results.variants["gain_psnr_db"] < 0
    if not below.any():
        return []
    verb = "is" if below.sum() == 1 else "are"
    return [f"In PSNR {plural(int(below.sum()), 'network')} {verb} below the untouched input."]


def _not_comparable(results: Results) -> list[str]:
    """Conditions that differ between rows, so that no reader mixes them unawares."""
    said = []
    if len(results.training_conditions) > 1:
        listing = "; ".join(f"{c.mark}: {c.meaning} ({c.rows:,})" for c in results.training_conditions[:12])
        more = len(results.training_conditions) - 12
        said.append(
            "The networks were not all trained alike, which their marks show. "
            f"{listing}{f'; and {more:,} more' if more > 0 else ''}."
        )
    if len(results.timing_conditions) > 1:
        listing = "; ".join(f"{c.mark}: {c.meaning} ({c.rows:,})" for c in results.timing_conditions[:12])
        said.append(
            "Not all were timed alike: latencies compare only within one mark, speed-ups are each relative to the "
            f"baseline timed under the same mark. {listing}."
        )
    flagged = results.variants[results.variants["timing_flags"] != ""]
    if len(flagged):
        first = flagged.iloc[0]
        verb = "is" if len(flagged) == 1 else "are"
        said.append(
            f"{plural(len(flagged), 'timing')} {verb} flagged as not to be relied on (see the rows so marked and "
            f"variants.csv); {first['label']}, for one: {first['timing_flags']}."
        )
    if results.other_measurements:
        said.append(
            f"Other timings in these runs are not in the tables of networks: {'; '.join(results.other_measurements)}."
        )
    return said


# --- notes to figures and tables --------------------------------------------------------------------------------------


def frontier_note(results: Results) -> str:
    """What makes a network one of the frontier's, by the cost that there is, and what the columns mean."""
    cost, first = ("multiply-adds", "fewest") if results.cost_kind == "macs" else ("speed", "fastest")
    text = f"The networks than which no other has both the better {cost} and the better mean MS-SSIM, {first} first."
    variants, evidence = results.variants, results.evidence
    seeds = ", seeds" if evidence.seed_deviation is not None else ""
    if variants["ms_ssim_error"].notna().any():
        text += f" {ERROR}: half the 95% interval, without how hard the test images are for all."
    if variants["frontier_probability"].notna().any():
        timing = " and timing rounds" if variants["speed_up_low"].notna().any() else ""
        drawn = f"test images{seeds}{timing}" if timing else f"test images{' and seeds' if seeds else ''}"
        text += f" On frontier: how probable that is, from {evidence.resamples:,} bootstrap draws of {drawn}."
    if evidence.compared > 1:
        text += (
            " Beats, beaten by: how many networks; one beats another if it is surely faster and surely not worse by "
            f"{MARGIN} MS-SSIM."
        )
    return text


def paper_note(results: Results) -> str:
    """Under the tables: why the paper's figures and ours are not of the same thing."""
    steps, ours = results.steps, []
    batches = {record["learned_from"].get("batch_size") for record in results.trained}
    if steps:
        ours.append(f"{steps[0]:,} steps" if len(steps) == 1 else f"{min(steps):,} to {max(steps):,} steps")
    if len(batches) == 1 and None not in batches:
        ours.append(f"of {batches.pop():,}")
    budget = f" after {' '.join(ours)}" if ours else ""
    return (
        "The paper's scores are on DPED's test patches after 25,000 steps of 50 (Table 2's pick: 40,000), its times "
        f"from its own machine. Ours are on {results.dataset or 'no data set yet'}{budget}. Compare orders and "
        "differences, not values."
    )


def paper_time_note() -> str:
    """Why the paper's speed-ups in its tables and its headline do not agree (its own figures)."""
    table2 = published_table(2).set_index("slug")["time_s"]
    proposed = float(table2["strided-k3-s4-c16-b2"])
    return (
        f"The paper's tables give its proposed {{3-4, 16}} a speed-up of {baseline_time_s() / proposed:.2f} "
        f"({baseline_time_s():.3f} s / {proposed:.3f} s); its headline says {headline_speed_up():.1f}, from another "
        "machine (its Table 3). Table 1's time of {3, 64, 4} is out of pattern: hardly more than {3, 32, 4}'s, while "
        "every other doubling of the channels doubles the time. With the headline's ratio it would be "
        f"{implied_baseline_time_s():.1f} s."
    )


def speed_note(results: Results) -> str:
    """Under the tables: what a speed-up is relative to, and how latencies were measured."""
    measurements = [record["measurement"] for record in results.timed]
    if not measurements:
        return "No network is timed."
    variants = results.variants
    with_speed_up = variants["speed_up"].notna()
    paired = int(variants["paired_speed_up"].notna().sum())
    if with_speed_up.any():
        relative = (
            "Speed-up is relative to the plain {3, 64, 4} baseline, timed on the same host with the same measurement"
        )
        times = variants.loc[variants["slug"] == BASELINE_SLUG, "latency_ms_median"].dropna().drop_duplicates()[:3]
        relative += f" ({', '.join(f'{significant(float(ms))} ms' for ms in times)})" if len(times) else ""
        if paired == with_speed_up.sum():
            relative += ": the median over rounds in which both were called."
        elif paired:
            relative += f": of {paired:,} the median over rounds in which both were called, else the ratio of medians."
        else:
            relative += ": the ratio of the medians."
    else:
        relative = "There is no speed-up: the plain {3, 64, 4} baseline is not timed."
    return (
        f"{relative} Latency is the median over rounds of one image, with its interquartile range (IQR); memory "
        "is the peak resident set of the process alone, in brackets what the call added."
    )


def psnr_note(results: Results) -> str:
    """How pairs are counted that are identical and have no finite PSNR."""
    scores = [(record.get("scores") or {}, record.get("untouched") or {}) for record in results.trained]
    images = [int(ours["images"]) for ours, _ in scores if is_number(ours.get("images"))]
    if not images:
        return ""
    untouched = max((int(theirs.get("identical_pairs") or 0) for _, theirs in scores), default=0)
    enhanced = max((int(ours.get("identical_pairs") or 0) for ours, _ in scores), default=0)
    count = f"{images[0]:,}" if min(images) == max(images) else f"{min(images):,} to {max(images):,}"
    rule = "A pair that is identical has an infinite PSNR and is left out of the mean"
    if not untouched and not enhanced:
        return f"PSNR is the mean over {count} test images, of outputs clipped to [0, 1]. {rule}: here there was none."
    return (
        f"PSNR is the mean over {count} test images, of outputs clipped to [0, 1]. {rule}: {untouched:,} for the "
        f"untouched input, {f'up to {enhanced:,}' if enhanced else 'none'} for the networks, so that the two means are "
        "over slightly different images. MS-SSIM counts every pair."
    )


# --- what it rests on -------------------------------------------------------------------------------------------------


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
    told_apart = [value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str) for value in found]
    counts: Counter[str] = Counter()
    words = dict(zip(told_apart, found, strict=True))
    for text, count in Counter(told_apart).items():
        counts[plain_text(words[text])] += count
    if len(counts) <= 1:
        return next(iter(counts), "")
    shown = [f"{value} ({count:,})" for value, count in counts.most_common(most)]
    return "; ".join(shown) + (f"; and {len(counts) - most:,} more" if len(counts) > most else "")
