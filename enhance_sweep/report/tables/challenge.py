"""Table 3: the PIRM 2018 challenge's entries, and our networks timed by its rules, with its scores for both."""

import json
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from enhance_sweep.paper import BASELINE_SLUG, PROPOSED_SLUG, SRCNN_SLUG, TEAMS, published_challenge
from enhance_sweep.paper.challenge import MOST_SPEED_UP, MS_SSIM_BASELINE, PSNR_BASELINE_DB, SCORES, challenge_scores
from enhance_sweep.records.keys import architecture_slug
from enhance_sweep.records.schema import Record
from enhance_sweep.report.labels import MINUS, decimals, is_number, network_label, plural, speed_up_text
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.tables.networks import MOST_ROWS, NO_RECORD, Cell, Group, Row, Table
from enhance_sweep.stats.rank_agreement import kendall_tau

#: Of four calls the challenge's rules discard so many.
_DISCARDED = 2
_WAY = ("runtime", "precision", "layout", "size", "threads", "allocator", "host")
_TAGS = {BASELINE_SLUG: "baseline", PROPOSED_SLUG: "the paper's pick", SRCNN_SLUG: "speed is measured against it"}
_GB_PER_GIB = 2**30 / 1e9
_NO_SRCNN = "SRCNN not timed"


@dataclass(frozen=True)
class Entry:
    """A row of the table: one of the challenge's entries, or a network of ours as trained and timed in one way.

    Attributes:
        name: the team, or the network's short name.
        psnr_db: mean over test images; None without.
        ms_ssim: the same.
        mos: mean opinion score; nobody rated ours.
        cpu_ms: of one 1280x720 image; None where ours is from another host than most.
        gpu_ms: the same on a GPU, the challenge's alone.
        memory_gb: what a call took, 10^9 bytes; None as for `cpu_ms`.
        speed_up: over SRCNN under the same conditions; None where that was not timed so.
        tag: what is special about it.
        record: ours: the timing by the challenge's rules.
        variant: ours: its row of `Results.variants`, empty where there is none.
    """

    name: str
    psnr_db: float | None
    ms_ssim: float | None
    mos: float | None
    cpu_ms: float | None
    gpu_ms: float | None
    memory_gb: float | None
    speed_up: float | None
    tag: str = ""
    record: Record | None = None
    variant: Mapping[str, Any] | None = None

    @property
    def scores(self) -> dict[str, float] | None:
        """The challenge's scores by name; None where something that they need is missing."""
        if self.psnr_db is None or self.ms_ssim is None or self.speed_up is None:
            return None
        return challenge_scores(self.psnr_db, self.ms_ssim, self.speed_up)

    @property
    def why_no_quality(self) -> str:
        """Why there is no PSNR or MS-SSIM, where there is none."""
        trained = (self.variant or {}).get("trained")
        said = {"completed": "not a number", "unfinished": "unfinished", "failed": "failed"}
        return said.get(str(trained), NO_RECORD)

    @property
    def why_no_score(self) -> str:
        """The same of the scores."""
        return _NO_SRCNN if self.psnr_db is not None and self.ms_ssim is not None else self.why_no_quality


def published_entries() -> list[Entry]:
    """The challenge's entries as the paper printed them, in its order."""
    table = published_challenge()
    srcnn_ms = table["cpu_ms"][TEAMS[SRCNN_SLUG]]
    return [
        Entry(
            name=str(team),
            psnr_db=float(row["psnr_db"]),
            ms_ssim=float(row["ms_ssim"]),
            mos=float(row["mos"]),
            cpu_ms=float(row["cpu_ms"]),
            gpu_ms=float(row["gpu_ms"]),
            memory_gb=float(row["ram_gb"]),
            speed_up=float(srcnn_ms / row["cpu_ms"]),
        )
        for team, row in table.iterrows()
    ]


def own_entries(results: Results) -> list[Entry]:
    """Our networks that were timed by the challenge's rules; those timed as most were first, the fastest first.

    Of several such timings of one network in one way the newest counts; seeds are pooled as everywhere.
    """
    newest: dict[tuple[str, str], Record] = {}
    for record in sorted(results.challenges, key=lambda record: str(record.get("finished_at") or "")):
        newest[_way(record), record["architecture_key"]] = record
    counts = Counter(way for way, _ in newest)
    srcnn_s = {way: _seconds(r) for (way, _), r in newest.items() if architecture_slug(r["architecture"]) == SRCNN_SLUG}
    hosts = Counter(record["measurement"]["host"] for record in newest.values())
    words = _distinguishing([record["measurement"] for record in newest.values()])
    variants = results.variants.astype(object).where(results.variants.notna(), None)
    entries = []
    for (way, key), record in sorted(
        newest.items(), key=lambda item: (-counts[item[0][0]], item[0][0], _seconds(item[1]))
    ):
        rows = variants[variants["architecture_key"] == key].to_dict("records") or [{}]
        for variant in rows:
            slug = architecture_slug(record["architecture"])
            marked = len(results.training_conditions) > 1 and variant.get("condition")
            tags = ["ours", _TAGS.get(slug, ""), words[way], f"trained as {variant['condition']}" if marked else ""]
            here = record["measurement"]["host"] == hosts.most_common(1)[0][0]
            entries.append(
                Entry(
                    name=network_label(record["architecture"]),
                    psnr_db=_number(variant.get("psnr_db")),
                    ms_ssim=_number(variant.get("ms_ssim")),
                    mos=None,
                    cpu_ms=1e3 * _seconds(record) if here else None,
                    gpu_ms=None,
                    memory_gb=float(record["memory_gib_mean"]) * _GB_PER_GIB if here else None,
                    speed_up=srcnn_s[way] / _seconds(record) if way in srcnn_s else None,
                    tag=", ".join(filter(None, tags)),
                    record=record,
                    variant={str(name): value for name, value in variant.items()},
                )
            )
    return entries


def _way(record: Record) -> str:
    return json.dumps(record["measurement"].as_json(), sort_keys=True)


def _seconds(record: Record) -> float:
    return float(record["latency_s_mean"])


def _number(value: Any) -> float | None:
    return float(value) if is_number(value) else None


def _distinguishing(measurements: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """For each of several ways to measure, in words, what sets it apart from the others; nothing where all are one."""
    differing = [name for name in _WAY if len({json.dumps(one.get(name)) for one in measurements}) > 1]
    return {_way({"measurement": one}): ", ".join(_in_words(one, differing)) for one in measurements}


def _in_words(measurement: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    written = {
        "layout": str(measurement.get("layout")).replace("_", " "),
        "size": "x".join(map(str, measurement["size"])),
        "threads": plural(int(measurement["threads"]), "thread"),
        "allocator": f"{measurement['allocator']} allocator",
    }
    return [written.get(name, str(measurement[name])) for name in names if measurement.get(name) is not None]


# --- shown ------------------------------------------------------------------------------------------------------------


def challenge_shown(results: Results) -> Table:
    """Table 3 as it was printed, every row of it, and below it our networks, with the challenge's scores for all."""
    groups = (
        Group("PSNR, dB", ("",)),
        Group("MS-SSIM", ("",)),
        Group("MOS", ("",)),
        Group("CPU, ms", ("",)),
        Group("Over SRCNN", ("",)),
        Group("GPU, ms", ("",)),
        Group("Memory, GB", ("",)),
        Group("Score", tuple(SCORES)),
    )
    entries = [*published_entries(), *own_entries(results)]
    title = "Table 3: the challenge's entries, and networks of ours by its rules"
    return Table(title, groups, tuple(map(_row, entries[:MOST_ROWS])), max(0, len(entries) - MOST_ROWS))


def _row(entry: Entry) -> Row:
    elsewhere = "timed on another host"
    scores = entry.scores or {}
    cells = (
        _cell(entry.psnr_db, 2, entry.why_no_quality),
        _cell(entry.ms_ssim, 4, entry.why_no_quality),
        _cell(entry.mos, 4, "not rated"),
        _cell(entry.cpu_ms, 0, elsewhere),
        Cell(_NO_SRCNN, missing=True) if entry.speed_up is None else Cell(speed_up_text(entry.speed_up)),
        _cell(entry.gpu_ms, 0, "not timed"),
        _cell(entry.memory_gb, 1, elsewhere),
        *(_cell(scores.get(name), 2, entry.why_no_score) for name in SCORES),
    )
    return Row(entry.name, entry.tag, cells, bool(entry.psnr_db and (entry.variant or {}).get("below_untouched")))


def _cell(value: float | None, digits: int, otherwise: str) -> Cell:
    return Cell(otherwise, missing=True) if value is None else Cell(decimals(value, digits))


# --- CSV --------------------------------------------------------------------------------------------------------------


def challenge_csv(results: Results) -> str:
    """The same for a spreadsheet, with how ours were timed and trained."""
    rows = [_csv_row(entry) for entry in [*published_entries(), *own_entries(results)]]
    return pd.DataFrame(rows, dtype=object).to_csv(index=False, lineterminator="\n")


def _csv_row(entry: Entry) -> dict[str, Any]:
    record, variant, scores = entry.record or {}, entry.variant or {}, entry.scores or {}
    measurement = record.get("measurement") or {}
    return {
        "entry": entry.name,
        "of": "ours" if record else "the challenge",
        "architecture": architecture_slug(record["architecture"]) if record else None,
        "psnr_db": entry.psnr_db,
        "ms_ssim": entry.ms_ssim,
        "mos": entry.mos,
        "cpu_ms": entry.cpu_ms,
        "speed_up_over_srcnn": entry.speed_up,
        "gpu_ms": entry.gpu_ms,
        "memory_gb": entry.memory_gb,
        **{f"score_{name.lower()}": scores.get(name) for name in SCORES},
        "no_score_because": None if scores else entry.why_no_score,
        **{name: measurement.get(name) for name in _WAY if name != "size"},
        **{name: variant.get(name) for name in ("steps", "seeds", "condition")},
    }


# --- in words ---------------------------------------------------------------------------------------------------------


def challenge_notes(results: Results) -> list[str]:
    """Under the table: what the scores are, whether people agreed with them, and how ours differ from the challenge."""
    return [_formula(), _agreement(), *_about_ours(results)]


def _formula() -> str:
    weights = "; ".join(f"Score {name}: a = {a:g}, b = {b:g}, c = {c:g}" for name, (a, b, c) in SCORES.items())
    capped = sum((entry.speed_up or 0.0) > MOST_SPEED_UP for entry in published_entries())
    return (
        f"A score is a (PSNR {MINUS} {PSNR_BASELINE_DB:g}) + b (MS-SSIM {MINUS} {MS_SSIM_BASELINE:g}) + c times the "
        f"speed-up over SRCNN, of which no more than {MOST_SPEED_UP:g} counts ({capped} of the challenge's entries "
        f"{'is' if capped == 1 else 'are'} faster). {weights}. The paper's table prints no scores: those of its rows "
        "are computed here from the figures that it prints."
    )


def _agreement() -> str:
    """Whether people liked best what the scores put first."""
    entries = published_entries()
    mos = [entry.mos for entry in entries]
    by_score = [kendall_tau(mos, [(entry.scores or {})[name] for entry in entries]) for name in SCORES]
    by_ms_ssim = kendall_tau(mos, [entry.ms_ssim for entry in entries])
    by_psnr = kendall_tau(mos, [entry.psnr_db for entry in entries])
    return (
        f"What people liked (MOS) is hardly in the scores' order: Kendall's tau of the {len(entries)} entries is "
        f"{', '.join(decimals(tau, 2) for tau in by_score)} for {', '.join(SCORES)}, {decimals(by_psnr, 2)} for PSNR "
        f"and {decimals(by_ms_ssim, 2)} for MS-SSIM alone."
    )


def _about_ours(results: Results) -> list[str]:
    entries = own_entries(results)
    runs = shlex.quote(str(results.runs))
    if not entries:
        command = f"python -m enhance_sweep.timing --challenge model=plain,srcnn,strided --runs {runs}"
        return [
            f"None of our networks is timed by the challenge's rules. Time the three of the paper's with: {command}"
        ]
    said = [_timed_how(entries), *_calls_differ(entries), *_anchors(entries), *_trained_how(results, entries)]
    without = list(dict.fromkeys(entry.name for entry in entries if entry.speed_up is None))
    if without:
        ways = {_way(entry.record): entry.record for entry in entries if entry.speed_up is None and entry.record}
        commands = "; ".join(_srcnn_command(record, runs) for record in ways.values())
        said.append(
            f"{', '.join(without)}: no score, as SRCNN is not timed on the same host under the same conditions. "
            f"Time it there with: {commands}"
        )
    return said


def _srcnn_command(record: Record, runs: str) -> str:
    measurement = record["measurement"]
    options = " ".join(
        f"--{name} {measurement[name]}"
        for name in ("runtime", "precision", "layout", "threads", "allocator")
        if measurement.get(name) is not None
    )
    return f"python -m enhance_sweep.timing --challenge model=srcnn {options} --runs {runs}"


def _timed_how(entries: Sequence[Entry]) -> str:
    records = [entry.record for entry in entries if entry.record]
    names = [name for name in _WAY if name not in ("size", "host")]
    ways = dict.fromkeys(
        ", ".join([*_in_words(record["measurement"], names), f"on {_machine(record)}"]) for record in records
    )
    photographs = dict.fromkeys(
        str(call["photograph"]) for r in records for call in r["samples"] if "photograph" in call
    )
    shown = f" ({', '.join(photographs)})" if photographs else ""
    text = (
        f"Ours are timed by its rules: four photographs of 1280x720{shown} one after the other in one process, the "
        f"first {_DISCARDED} calls discarded; memory is the peak during a call above what was resident before it. "
        f"Conditions: {'; '.join(ways)}. The challenge's times are from its own machine, in TensorFlow, so what "
        "compares is speed over SRCNN, not time."
    )
    if any(record["measurement"]["allocator"] != "stock" for record in records):
        text += (
            " The tuned allocator keeps what an earlier call took: the memory that a call adds is less than it needs."
        )
    return text


def _machine(record: Record) -> str:
    return str((record.get("environment") or {}).get("cpu") or record["measurement"]["host"])


def _calls_differ(entries: Sequence[Entry]) -> list[str]:
    """How far the calls that count are from each other: all that there is to judge the noise by."""
    apart = {}
    for entry in entries:
        counted = [float(call["latency_ms"]) for call in (entry.record or {"samples": []})["samples"][_DISCARDED:]]
        if len(counted) > 1:
            apart[entry.name] = (max(counted) - min(counted)) / (sum(counted) / len(counted))
    if not apart:
        return []
    worst = max(apart, key=lambda name: apart[name])
    return [
        f"Such a time is a mean of two calls, without an interval: of ours the two are up to {apart[worst]:.0%} apart "
        f"({worst}). Where a speed matters, take the other tables' speed-ups."
    ]


def _anchors(entries: Sequence[Entry]) -> list[str]:
    """The networks that the challenge timed too: over SRCNN, there and here."""
    published = {entry.name: entry for entry in published_entries()}
    said = []
    for slug in (BASELINE_SLUG, PROPOSED_SLUG):
        ours = [one for one in entries if one.record and architecture_slug(one.record["architecture"]) == slug]
        theirs = published[TEAMS[slug]].speed_up
        if ours and theirs is not None and ours[0].speed_up is not None:
            there, here = speed_up_text(theirs), speed_up_text(ours[0].speed_up)
            said.append(f"{ours[0].name} ran at {there} SRCNN's speed in the challenge and runs at {here} here.")
    return [" ".join(said)] if said else []


def _trained_how(results: Results, entries: Sequence[Entry]) -> list[str]:
    scored = pd.DataFrame([entry.variant for entry in entries if entry.psnr_db is not None])
    if scored.empty:
        return ["None of those networks has a score of quality here, which the challenge's scores need."]

    def text(column: str) -> str:
        values = sorted({int(value) for value in scored.get(column, pd.Series(dtype=object)).dropna()})
        few = f"{values[0]:,}" if len(values) == 1 else f"{values[0]:,} to {values[-1]:,}" if values else ""
        return few or "an unknown number of"

    seeds = max((len(str(seeds).split()) for seeds in scored["seeds"].dropna()), default=1)
    pooled = f" (the mean over up to {seeds} seeds)" if seeds > 1 else ""
    return [
        f"Their PSNR and MS-SSIM are means over {text('test_images')} test images of {results.dataset}{pooled}, after "
        f"{text('steps')} steps of {text('batch_size')} with the {results.loss} loss. The paper's entry learned from "
        "160,000 pairs of DPED in 33,000 steps of 50 with the paper's loss, and all entries were scored on the "
        "challenge's own test images: compare orders and differences, not values."
    ]
