"""What each measure would pick, and how well it agrees with the measure that the report goes by."""

from typing import Any

from enhance_sweep.measures import Measure
from enhance_sweep.report.labels import decimals, signed, speed_up_text
from enhance_sweep.report.results.agreement import Agreement, Pick, agreement
from enhance_sweep.report.results.color import color_tag_of
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.tables.model import Column, Row, Table, shown_columns, to_csv
from enhance_sweep.report.words import phrase

FILE = "agreement.csv"
_PAIRS = tuple(map(Column, ("measure", "other", "tau", "tau_low", "tau_high", "networks")))
_NONE = "—"
_FASTEST = {"speed_up": "Fastest", "latency_ms": "Fastest", "macs": "Fewest multiply-adds"}


def agreement_shown(results: Results) -> Table:
    """A row for each measure; without rows where there are too few measures or networks."""
    found, quality = agreement(results), results.quality
    columns = _columns(quality, results.cost_kind)
    if found is None:
        return Table(_title(), columns, ())
    hidden = [] if found.resamples else ["low"]
    hidden += [] if any(one.fastest is not None for one in found.picks) else ["fastest"]
    shown = shown_columns(columns, hidden=hidden)
    rows = [
        Row.of(shown, _facts(results, found, place, pick), pick.measure.label) for place, pick in enumerate(found.picks)
    ]
    facts = {"found": found, "quality": quality, "seeds": results.evidence.seed_deviation is not None}
    note = phrase("panel", "agree", facts)
    return Table(_title(), shown, tuple(rows), file=FILE, notes=(note,), first="Measure")


def agreement_csv(results: Results) -> str:
    """Kendall's tau of every two measures for a spreadsheet; empty where there is none."""
    found = agreement(results)
    if found is None:
        return ""
    rows = []
    for first, measure in enumerate(found.measures):
        for second, other in enumerate(found.measures[:first]):
            at = (first, second)
            taus = {"tau": found.tau[at], "tau_low": found.low[at], "tau_high": found.high[at]}
            rows.append({"measure": measure.name, "other": other.name, **taus, "networks": found.ranked})
    return to_csv(_PAIRS, rows)


def _title() -> str:
    return "Do the measures agree?"


def _columns(quality: Measure, cost_kind: str) -> tuple[Column, ...]:
    of_pick, tau = "Its best network", f"Kendall's tau with {quality.label}"
    return (
        Column("tau", tau, "tau", lambda value: decimals(value, 2), _NONE),
        Column("low", tau, "95%", _ends, _NONE, ("low", "high")),
        Column("best", of_pick, "network"),
        Column("behind", of_pick, f"behind in {quality.label}", lambda value: signed(value, quality.digits)),
        Column("fastest", f"{_FASTEST[cost_kind]}, as good as {{3, 64, 4}}", "", missing="none"),
    )


def _ends(low: float, high: float) -> str:
    return f"{decimals(low, 2)} to {decimals(high, 2)}"


def _facts(results: Results, found: Agreement, place: int, pick: Pick) -> dict[str, Any]:
    own = next((at for at, one in enumerate(found.measures) if one == results.quality), None)
    at = None if own is None or own == place else (place, own)
    return {
        "tau": None if at is None else float(found.tau[at]),
        "low": None if at is None else float(found.low[at]),
        "high": None if at is None else float(found.high[at]),
        "best": _named(results, pick.best),
        "behind": pick.behind,
        "fastest": None if pick.fastest is None else _named(results, pick.fastest, speed=True),
    }


def _named(results: Results, row: int, speed: bool = False) -> str:
    """A network with its speed, how it was trained where that differs, and what is wrong with its color."""
    network: Any = results.variants.loc[row]
    several = len(results.training_conditions) > 1
    faster = f" ({speed_up_text(network['speed_up'])})" if speed and network["speed_up"] > 0 else ""
    trained_as = f"trained as {network['condition']}" if several else ""
    return ", ".join(filter(None, [f"{network['label']}{faster}", trained_as, color_tag_of(network)]))
