"""Families side by side: which holds the frontier where, which of their options matter, and what these buy."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from enhance_sweep.report.labels import (
    TIMES,
    cut_name,
    decimals,
    percent,
    setting_name,
    shared_settings,
    signed,
    significant,
    speed_up_text,
    thousands,
    topology_name,
)
from enhance_sweep.report.results.families import families, held_text, spanned
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.results.options import FAMILY, Share, changes, shares
from enhance_sweep.report.results.words import plain_text
from enhance_sweep.report.tables.model import Column, Facts, Row, Table, cut, shown_columns, to_csv
from enhance_sweep.report.words import phrase
from enhance_sweep.what_if.variance import REST

FILE, SHARES_FILE, CHANGES_FILE = "families.csv", "options.csv", "changes.csv"
_NONE = "—"
_FASTEST = {"speed_up": "speed-up", "latency_ms": "ms", "macs": "MACs, G"}
_RATIOS = {"speed_up": "Speed", "latency_ms": "Latency", "macs": "Multiply-adds"}


# --- which family holds the frontier ----------------------------------------------------------------------------------


def families_shown(results: Results) -> Table:
    """A row for each family, from slow to fast along the frontier; without rows where there is one family."""
    columns = shown_columns(_columns(results))
    rows = tuple(Row.of(columns, facts, topology_name(facts["family"])) for facts in _facts(results))
    named = {topology: _settings_text(settings) for topology, settings in _shared(results).items() if settings}
    facts = {"results": results, "named": named, "papers": _papers(results)}
    notes = tuple(filter(None, (phrase("families", block, facts) for block in ("holds", "papers", "names"))))
    return Table("Which family holds the frontier", columns, rows, file=FILE, notes=notes, first="Family")


def families_csv(results: Results) -> str:
    """The same for a spreadsheet; empty where there is one family."""
    facts = _facts(results)
    return to_csv(_columns(results), facts) if facts else ""


def _columns(results: Results) -> tuple[Column, ...]:
    quality, kind = results.quality, results.cost_kind
    fastest = speed_up_text if kind == "speed_up" else significant
    columns = (
        Column("family"),
        Column("networks", "Networks", "scored", thousands),
        Column("on_frontier", "Networks", "on frontier", thousands),
        Column("holds", "Holds the frontier at", missing="nowhere", kind="text"),
        Column("best", f"Best {quality.title}", "", partial(decimals, digits=quality.digits)),
        Column("best_network", f"Best {quality.title}", "network", _within_family, kind="text"),
        Column("fastest", "Fastest", _FASTEST[kind], fastest),
        Column("fastest_network", "Fastest", "network", _within_family, kind="text"),
    )
    alone = Column("log_hypervolume", "Hypervolume alone", "", partial(decimals, digits=4))
    return (*columns, alone) if kind == "speed_up" else columns


def _within_family(label: str) -> str:
    """A network's name in the row of its family, cut if it is long."""
    return cut_name(label if label.startswith("{") else label.partition(" ")[2] or label)


def _facts(results: Results) -> list[dict[str, Any]]:
    scales: dict[str, Callable[[float], float]] = {
        "speed_up": lambda cost: 1 / cost,
        "latency_ms": float,
        "macs": lambda cost: cost / 1e9,
    }
    variants = results.variants
    places = {row: place for place, row in enumerate(variants.index)}
    return [
        {
            "family": one.topology,
            "networks": one.networks,
            "on_frontier": one.on_frontier,
            "holds": ", ".join(held_text(results, stretch) for stretch in one.stretches) or None,
            "best": float(variants[results.quality.name].to_numpy(dtype=float)[places[one.best]]),
            "best_network": variants.loc[one.best, "label"],
            "fastest": scales[results.cost_kind](float(variants["cost"].to_numpy(dtype=float)[places[one.fastest]])),
            "fastest_network": variants.loc[one.fastest, "label"],
            "log_hypervolume": one.log_hypervolume,
        }
        for one in families(results)
    ]


def _papers(results: Results) -> float | None:
    """The log hypervolume of the paper's networks alone, where there are others beside them."""
    published = results.scored["published"].notna()
    return spanned(results, results.scored[published]) if published.any() and not published.all() else None


def _shared(results: Results) -> dict[str, dict[str, Any]]:
    architectures = {record.architecture_key: record.architecture for record in (*results.trained, *results.timed)}
    return shared_settings(architectures.values())


def _settings_text(settings: Facts) -> str:
    return ", ".join(f"{setting_name(name)} {plain_text(value)}" for name, value in settings.items())


# --- which options matter ---------------------------------------------------------------------------------------------


def shares_shown(results: Results) -> Table:
    """A row for each option of each family, and for the family itself; without rows where there is one family."""
    columns = shown_columns(_share_columns(results))
    rows = tuple(
        Row.of(columns, _share_facts(one), _share_name(one), _told_apart(one))
        for one in _without_unknown(shares(results))
    )
    note = phrase("families", "shares", {"results": results, "cost": _RATIOS[results.cost_kind].lower()})
    return cut(Table("Which options matter", columns, rows, file=SHARES_FILE, notes=(note,), first="Option"))


def shares_csv(results: Results) -> str:
    """The same for a spreadsheet, with all notes; empty where there is one family."""
    facts = [_share_facts(one) for one in shares(results)]
    return to_csv(_share_columns(results), facts) if facts else ""


def _share_columns(results: Results) -> tuple[Column, ...]:
    quality, cost = f"Of {results.quality.label}", f"Of {_RATIOS[results.cost_kind].lower()}"
    return (
        Column("family"),
        Column("option"),
        Column("values", "Values", text=_in_words, missing=_NONE, kind="text"),
        Column("quality_share", quality, "share", percent, lambda facts: _reason(facts["quality_note"])),
        Column("quality_share_by_chance", quality, "by chance", percent, lambda facts: _reason(facts["quality_note"])),
        Column("quality_note"),
        Column("cost_share", cost, "share", percent, lambda facts: _reason(facts["cost_note"])),
        Column("cost_share_by_chance", cost, "by chance", percent, lambda facts: _reason(facts["cost_note"])),
        Column("cost_note"),
    )


def _in_words(values: str) -> str:
    return "no, yes" if values == "False, True" else values


def _share_facts(one: Share) -> dict[str, Any]:
    return {
        "family": one.topology or "all",
        "option": one.option,
        "values": one.values or None,
        "quality_share": one.quality,
        "quality_share_by_chance": one.quality_by_chance,
        "quality_note": one.quality_note,
        "cost_share": one.cost,
        "cost_share_by_chance": one.cost_by_chance,
        "cost_note": one.cost_note,
    }


def _share_name(one: Share) -> str:
    family = "all networks" if one.topology is None else topology_name(one.topology)
    option = {FAMILY: "family", REST: "the rest"}.get(one.option) or setting_name(one.option)
    return f"{family}: {option}"


def _without_unknown(found: Iterable[Share]) -> list[Share]:
    """Without families of which nothing is known but that there are too few networks."""
    found = list(found)
    known = {one.topology for one in found if one.quality is not None or one.cost is not None}
    return [one for one in found if one.topology in known]


def _told_apart(one: Share) -> str:
    """What an option cannot be told apart from."""
    notes = dict.fromkeys([one.quality_note, one.cost_note])
    return "; ".join(note for note in notes if note.startswith(("cannot", "varies"))) if one.option != REST else ""


def _reason(note: str) -> str:
    return note.removeprefix("not known: ") or _NONE


# --- what a change buys -----------------------------------------------------------------------------------------------


def changes_shown(results: Results) -> Table:
    """A row for each change of an option, family by family; without rows where there is one family."""
    columns = shown_columns(_change_columns(results))
    rows = tuple(
        Row.of(columns, facts, f"{topology_name(facts['family'])}: {setting_name(facts['option'])} {_change(facts)}")
        for facts in map(vars, changes(results))
        for facts in [facts | {"family": facts["topology"]}]
    )
    note = phrase("families", "changes", {"results": results})
    return cut(
        Table("What a change of one option buys", columns, rows, file=CHANGES_FILE, notes=(note,), first="Change")
    )


def changes_csv(results: Results) -> str:
    """The same for a spreadsheet; empty where there is one family."""
    facts = [vars(one) | {"family": one.topology} for one in changes(results)]
    return to_csv(_change_columns(results), facts) if facts else ""


def _change_columns(results: Results) -> tuple[Column, ...]:
    quality, digits = results.quality, results.quality.digits
    heading, cost = f"{quality.label}{quality.improvement}", f"{_RATIOS[results.cost_kind]}, ratio"
    difference, ratio = partial(signed, digits=digits), lambda value: f"{significant(value)}{TIMES}"
    return (
        *(Column(name) for name in ("family", "option", "before", "after")),
        Column("pairs", heading, "pairs", thousands),
        Column("better", heading, "better in", thousands),
        Column("quality", heading, "median", difference, "not scored"),
        Column("quality_low", heading, "lowest", difference, "not scored"),
        Column("quality_high", heading, "highest", difference, "not scored"),
        Column("cost_pairs", cost, "pairs", thousands),
        Column("cost", cost, "median", ratio, "not timed"),
        Column("cost_low", cost, "lowest", ratio, "not timed"),
        Column("cost_high", cost, "highest", ratio, "not timed"),
    )


def _change(facts: Facts) -> str:
    return f"{plain_text(facts['before'])} → {plain_text(facts['after'])}"
