"""Which family of networks (topology) holds the frontier at which speed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from enhance_sweep.frontier import log_hypervolume
from enhance_sweep.report.labels import significant, significant_ms, speed_up_text, topology_name
from enhance_sweep.report.results.gather import Results

#: The sentence names no more stretches than this; the table has all.
MOST_STRETCHES = 8


@dataclass(frozen=True)
class Stretch:
    """A part of the frontier whose networks are all of one family.

    A network holds the frontier at every speed up to its own that no faster network of the frontier has reached.

    Attributes:
        topology: the family.
        slow: the cost beyond which it holds, its slow end; None for the slowest stretch, which has none.
        fast: the cost of its fastest network, its fast end.
        row: the row of its best network.
    """

    topology: str
    slow: float | None
    fast: float
    row: int


@dataclass(frozen=True)
class Family:
    """One family's networks.

    Attributes:
        topology: its name in records.
        networks: how many have a score and a cost.
        on_frontier: how many of them are on the frontier.
        stretches: of the frontier, that it holds.
        best: the row with its best score.
        fastest: the row with its smallest cost.
        log_hypervolume: what its networks alone span (`enhance_sweep.frontier.log_hypervolume`); None without speed-ups
            or the untouched input's score.
    """

    topology: str
    networks: int
    on_frontier: int
    stretches: tuple[Stretch, ...]
    best: int
    fastest: int
    log_hypervolume: float | None


def stretches(results: Results) -> list[Stretch]:
    """The parts of the frontier by family, the slowest first."""
    front = results.frontier.sort_values("cost", ascending=False, kind="stable")
    found: list[Stretch] = []
    slow: float | None = None
    for row, topology, cost in zip(front.index, front["topology"], front["cost"].astype(float), strict=True):
        if found and found[-1].topology == topology:
            found[-1] = Stretch(topology, found[-1].slow, cost, found[-1].row)
        else:
            found.append(Stretch(str(topology), slow, cost, int(row)))
        slow = cost
    return found


def families(results: Results) -> list[Family]:
    """The families, those that hold a part of the frontier first, from slow to fast; empty where there is only one."""
    shown = results.scored[results.scored["cost"].notna()]
    held = stretches(results)
    order = list(dict.fromkeys([*(one.topology for one in held), *sorted(map(str, shown["topology"].unique()))]))
    if len(order) < 2:
        return []
    return [
        _family(results, shown[shown["topology"] == name], [s for s in held if s.topology == name]) for name in order
    ]


def _family(results: Results, networks: pd.DataFrame, held: Sequence[Stretch]) -> Family:
    quality = results.quality
    best = networks.sort_values(quality.name, ascending=not quality.higher_is_better, kind="stable").index[:1]
    fastest = networks["cost"].astype(float).sort_values(kind="stable").index[:1]
    return Family(
        topology=str(networks["topology"].iloc[0]),
        networks=len(networks),
        on_frontier=int(networks["on_frontier"].sum()),
        stretches=tuple(held),
        best=int(best.to_numpy()[0]),
        fastest=int(fastest.to_numpy()[0]),
        log_hypervolume=spanned(results, networks),
    )


def spanned(results: Results, networks: pd.DataFrame) -> float | None:
    """The log hypervolume of some networks alone; None without speed-ups or the untouched input's score."""
    untouched = results.untouched[results.quality.name]
    if results.cost_kind != "speed_up" or untouched is None:
        return None
    return log_hypervolume(networks, untouched, quality=results.quality.name)


# --- in words ---------------------------------------------------------------------------------------------------------


def speed_text(results: Results, cost: float) -> str:
    """A cost as a reader knows it: a speed-up, a latency or multiply-adds."""
    if results.cost_kind == "speed_up":
        return speed_up_text(1 / cost)
    return f"{significant_ms(cost)} ms" if results.cost_kind == "latency_ms" else f"{significant(cost / 1e9)} G"


def held_text(results: Results, stretch: Stretch) -> str:
    """Where a family holds the frontier: `up to 1.00×`, `1.00× to 9.45×`; of latencies `1,230 ms and more`."""
    fast = speed_text(results, stretch.fast)
    if stretch.slow is None:
        return f"up to {fast}" if results.cost_kind == "speed_up" else f"{fast} and more"
    return f"{speed_text(results, stretch.slow)} to {fast}"


def sentence_facts(results: Results) -> dict[str, Any]:
    """Facts of the sentence that names the holders of the frontier; `held` is empty where there is one family."""
    if not families(results):
        return {"held": [], "further": 0}
    held = stretches(results)
    shown = [(topology_name(one.topology), held_text(results, one)) for one in held[:MOST_STRETCHES]]
    return {"held": shown, "further": len(held) - len(shown)}
