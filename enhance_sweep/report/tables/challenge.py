"""Table 3: the PIRM 2018 challenge's entries, and our networks timed by its rules, with its scores for both."""

import json
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from enhance_sweep.paper import BASELINE_SLUG, PROPOSED_SLUG, SRCNN_SLUG, TEAMS, published_challenge
from enhance_sweep.paper.challenge import MOST_SPEED_UP, MS_SSIM_BASELINE, PSNR_BASELINE_DB, SCORES, challenge_scores
from enhance_sweep.records.keys import architecture_slug
from enhance_sweep.records.schema import ChallengeRecord, Measurement
from enhance_sweep.report.labels import is_number, network_label, plural
from enhance_sweep.report.results.color import color_tag_of
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.results.variants import plain_rows
from enhance_sweep.report.tables.columns import CHALLENGE, why_no_challenge_score
from enhance_sweep.report.tables.model import Row, Table, cut, shown_columns, to_csv
from enhance_sweep.report.words import paragraphs
from enhance_sweep.stats.rank_agreement import kendall_tau, tau_interval, unrelated_limit, unrelated_share
from enhance_sweep.system.waiting import DEFAULT

#: How many of the four calls the challenge's rules discard.
_DISCARDED = 2
_WAY = ("runtime", "precision", "layout", "size", "threads", "allocator", "wait_policy", "host")
_TAGS = {BASELINE_SLUG: "baseline", PROPOSED_SLUG: "the paper's pick", SRCNN_SLUG: "speed is measured against it"}
_GB_PER_GIB = 2**30 / 1e9


@dataclass(frozen=True)
class Entry:
    """A row of the table: one of the challenge's entries, or a network of ours as trained and timed in one way.

    Attributes:
        facts: what `columns.CHALLENGE` names. `cpu_ms` and `memory_gb` (10^9 bytes) are None where ours is from another
            host than most, `speed_up_over_srcnn` where SRCNN was not timed under the same conditions, and the scores
            where something that they need is missing.
        tag: what is special about it.
        record: ours: the timing by the challenge's rules.
    """

    facts: Mapping[str, Any]
    tag: str = ""
    record: ChallengeRecord | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The team, or the network's short name."""
        return str(self.facts["entry"])


def published_entries() -> list[Entry]:
    """The challenge's entries as the paper printed them, in its order."""
    table = published_challenge()
    table = table.assign(speed_up_over_srcnn=table["cpu_ms"][TEAMS[SRCNN_SLUG]] / table["cpu_ms"])
    table = table.rename(columns={"ram_gb": "memory_gb"}).astype(float)
    table = table.assign(entry=table.index, of="the challenge")
    return [Entry(_with_scores(facts)) for facts in table.to_dict("records")]


@lru_cache(maxsize=1)
def own_entries(results: Results) -> list[Entry]:
    """Our networks timed by the challenge's rules; the most common way of timing first, in it the fastest.

    Of several such timings of one network in one way the newest counts; seeds are pooled as everywhere.
    """
    newest: dict[tuple[str, str], ChallengeRecord] = {}
    for record in sorted(results.challenges, key=lambda record: str(record.finished_at or "")):
        newest[_way(record), record.architecture_key] = record
    counts = Counter(way for way, _ in newest)
    srcnn = {way: one for (way, _), one in newest.items() if architecture_slug(one.architecture) == SRCNN_SLUG}
    hosts = Counter(record.measurement.host for record in newest.values())
    words = _distinguishing(list(newest.values()))
    variants = plain_rows(results.variants[results.variants["architecture_key"].isin([key for _, key in newest])])
    ordered = sorted(newest.items(), key=lambda item: (-counts[item[0][0]], item[0][0], item[1].latency_s_mean))
    entries = []
    for (way, key), record in ordered:
        here = record.measurement.host == hosts.most_common(1)[0][0]
        for variant in [one for one in variants if one["architecture_key"] == key] or [{}]:
            marked = len(results.training_conditions) > 1 and variant.get("condition")
            tags = ["ours", _TAGS.get(architecture_slug(record.architecture), ""), words[way]]
            tags += [f"trained as {variant['condition']}"] if marked else []
            tags.append(color_tag_of(variant))
            facts = _own_facts(record, variant, srcnn.get(way), here)
            entries.append(Entry(_with_scores(facts), ", ".join(filter(None, tags)), record))
    return entries


def _with_scores(facts: Mapping[Any, Any]) -> dict[str, Any]:
    """The facts with the challenge's scores, or why there are none."""
    figures = [facts[name] for name in ("psnr_db", "ms_ssim", "speed_up_over_srcnn")]
    scores = {} if None in figures else challenge_scores(*figures)
    named = {f"score_{name.lower()}": scores.get(name) for name in SCORES}
    return {**facts, **named, "no_score_because": None if scores else why_no_challenge_score(facts)}


def _own_facts(
    record: ChallengeRecord, variant: Mapping[Any, Any], srcnn: ChallengeRecord | None, here: bool
) -> dict[str, Any]:
    of_variant = ("trained", "below_untouched", "test_images", "batch_size", "steps", "seeds", "condition")
    return {
        "entry": network_label(record.architecture),
        "of": "ours",
        "architecture": architecture_slug(record.architecture),
        **{name: float(v) if is_number(v := variant.get(name)) else None for name in ("psnr_db", "ms_ssim")},
        "cpu_ms": 1e3 * record.latency_s_mean if here else None,
        "memory_gb": record.memory_gib_mean * _GB_PER_GIB if here else None,
        "speed_up_over_srcnn": srcnn.latency_s_mean / record.latency_s_mean if srcnn else None,
        **{name: getattr(record.measurement, name) for name in _WAY if name != "size"},
        **{name: variant.get(name) for name in of_variant},
    }


def _way(record: ChallengeRecord) -> str:
    return json.dumps(record.measurement.as_json(), sort_keys=True)


def _distinguishing(records: Sequence[ChallengeRecord]) -> dict[str, str]:
    """For each way to measure, how it differs from the others, in words; empty if all are the same."""
    differing = [name for name in _WAY if len({getattr(one.measurement, name) for one in records}) > 1]
    return {_way(one): ", ".join(_in_words(one.measurement, differing)) for one in records}


def _in_words(measurement: Measurement, names: Sequence[str]) -> list[str]:
    written = {
        "layout": str(measurement.layout).replace("_", " "),
        "size": "x".join(map(str, measurement.size)),
        "threads": plural(measurement.threads, "thread"),
        "allocator": f"{measurement.allocator} allocator",
        "wait_policy": f"wait policy {measurement.wait_policy}",
    }
    known = {name: getattr(measurement, name) for name in names}
    return [written.get(name, str(value)) for name, value in known.items() if value is not None]


# --- shown and CSV ----------------------------------------------------------------------------------------------------


def challenge_shown(results: Results) -> Table:
    """Table 3 as it was printed, every row of it, and below it our networks, with the challenge's scores for all."""
    columns, entries = shown_columns(CHALLENGE), [*published_entries(), *own_entries(results)]
    rows = tuple(Row.of(columns, entry.facts, entry.name, entry.tag) for entry in entries)
    title = "Table 3: the challenge's entries, and networks of ours by its rules"
    return cut(Table(title, columns, rows, file="table3.csv", notes=tuple(challenge_notes(results))))


def challenge_csv(results: Results) -> str:
    """The same for a spreadsheet, with how ours were timed and trained."""
    return to_csv(CHALLENGE, [entry.facts for entry in [*published_entries(), *own_entries(results)]])


# --- the notes below the table ---------------------------------------------------------------------


def challenge_notes(results: Results) -> list[str]:
    """The notes below the table: what the scores are, whether people agree, how ours differ from the challenge."""
    published, ours = published_entries(), own_entries(results)
    untimed = {_way(entry.record): entry for entry in ours if entry.record and not entry.facts["speed_up_over_srcnn"]}
    scored = [entry.facts for entry in ours if entry.facts["psnr_db"] is not None]
    facts = {
        "scores": SCORES,
        "levels": {"psnr_db": PSNR_BASELINE_DB, "ms_ssim": MS_SSIM_BASELINE, "most": MOST_SPEED_UP},
        "capped": sum(entry.facts["speed_up_over_srcnn"] > MOST_SPEED_UP for entry in published),
        "liked": _liked(published),
        "runs": shlex.quote(str(results.runs)),
        "results": results,
        "ours": ours,
        "timed": _timed_how(ours),
        "calls": _calls_differ(ours),
        "anchors": list(_anchors(published, ours)),
        "scored": scored,
        "training": {
            name: sorted({int(one[name]) for one in scored if one[name] is not None})
            for name in ("test_images", "steps", "batch_size")
        },
        "seeds": max((len(str(one["seeds"]).split()) for one in scored if one["seeds"] is not None), default=1),
        "untimed": list(dict.fromkeys(entry.name for entry in ours if not entry.facts["speed_up_over_srcnn"])),
        "untimed_ways": [_options(entry.facts) for entry in untimed.values()],
    }
    return paragraphs("challenge", facts)


def _liked(entries: Sequence[Entry]) -> dict[str, Any]:
    """Whether people agree with the scores: Kendall's tau of each score and measure with MOS, and how sure that is."""
    mos, count = [entry.facts["mos"] for entry in entries], len(entries)
    keys = {**{name: f"score_{name.lower()}" for name in SCORES}, "PSNR": "psnr_db", "MS-SSIM": "ms_ssim"}
    taus = {name: kendall_tau(mos, [entry.facts[key] for entry in entries]) for name, key in keys.items()}
    most = max(taus, key=lambda name: abs(taus[name]))
    return {
        "entries": count,
        "taus": {name: (tau, *tau_interval(tau, count)) for name, tau in taus.items()},
        "limit": unrelated_limit(count),
        "most": most,
        "p_value": unrelated_share(taus[most], count),
    }


def _options(facts: Mapping[str, Any]) -> str:
    """The options of the command that times SRCNN under the same conditions."""
    names = ("runtime", "precision", "layout", "threads", "allocator")
    return " ".join(f"--{name} {facts[name]}" for name in names if facts.get(name) is not None)


def _timed_how(entries: Sequence[Entry]) -> dict[str, Any]:
    records = [entry.record for entry in entries if entry.record]
    unsaid = {"size", "host"}
    if all(one.measurement.wait_policy == DEFAULT for one in records):
        unsaid.add("wait_policy")
    names = [name for name in _WAY if name not in unsaid]
    machines = [(one.environment and one.environment.cpu) or one.measurement.host for one in records]
    ways = [
        ", ".join([*_in_words(one.measurement, names), f"on {machine}"])
        for one, machine in zip(records, machines, strict=True)
    ]
    photographs = [call.photograph for one in records for call in one.samples if call.photograph is not None]
    return {
        "ways": list(dict.fromkeys(ways)),
        "photographs": list(dict.fromkeys(photographs)),
        "discarded": _DISCARDED,
        "tuned": any(record.measurement.allocator != "stock" for record in records),
    }


def _calls_differ(entries: Sequence[Entry]) -> dict[str, Any] | None:
    """How far apart the two counted calls are: the only available measure of noise."""
    apart = {}
    for entry in entries:
        counted = [call.latency_ms for call in entry.record.samples[_DISCARDED:]] if entry.record else []
        if len(counted) > 1:
            apart[entry.name] = (max(counted) - min(counted)) / (sum(counted) / len(counted))
    worst = max(apart, key=lambda name: apart[name], default=None)
    return None if worst is None else {"worst": worst, "apart": apart[worst]}


def _anchors(published: Sequence[Entry], ours: Sequence[Entry]) -> Iterator[dict[str, Any]]:
    """The networks that the challenge timed too: their speed over SRCNN, there and here."""
    theirs = {entry.name: entry.facts["speed_up_over_srcnn"] for entry in published}
    for slug in (BASELINE_SLUG, PROPOSED_SLUG):
        first = next((entry for entry in ours if entry.facts["architecture"] == slug), None)
        if first is not None and first.facts["speed_up_over_srcnn"] is not None:
            yield {"name": first.name, "there": theirs[TEAMS[slug]], "here": first.facts["speed_up_over_srcnn"]}
