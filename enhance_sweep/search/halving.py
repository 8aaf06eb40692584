"""Successive halving on two axes: which networks to train further, by their latency and their quality so far.

Plain logic over (latency, quality at equal steps). Successive halving is Jamieson & Talwalkar's (2016); ranking by
non-dominated fronts and crowding is NSGA-II's (Deb et al. 2002), combined as by Schmucker et al. (2021).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from enhance_sweep.frontier import pareto_front

#: Quality counts as saturated once this many slower networks were tried and none was better.
_TRIED_IN_VAIN = 2


def rung_steps(first: int, last: int, factor: float) -> list[int]:
    """The steps at which networks are compared: from `last` down by `factor`, none below `first`, the fewest first.

    Args:
        first: the fewest steps after which a comparison is meaningful.
        last: the steps of a whole training. Where it is not above `first`, it is the only rung: nothing is halved.
        factor: how many times more steps each rung has than the one before, above 1.

    Raises:
        ValueError: a value out of its range.
    """
    if first < 1 or last < 1 or not 1 < factor < math.inf:
        raise ValueError(f"expected steps of at least 1 and a factor above 1, got {first} to {last} by {factor}")
    steps, rung = [last], last / factor
    while rung >= first:
        if round(rung) < steps[-1]:
            steps.append(round(rung))
        rung /= factor
    return steps[::-1]


def ranked(latencies_ms: Mapping[str, float], qualities: Mapping[str, float]) -> list[tuple[str, int]]:
    """Every network with its front, the most promising first.

    Front 0 holds the networks that no other dominates, front 1 those that only front 0 dominates, and so on. Within a
    front its ends come first, then networks by falling crowding distance (latencies on a logarithmic scale), then by
    latency and key, so that the result does not depend on the order of the input.

    Args:
        latencies_ms: of each network, positive.
        qualities: of the networks to rank, the larger the better.
    """
    points = pd.DataFrame(
        {"latency": [latencies_ms[key] for key in qualities], "quality": [*qualities.values()]},
        index=list(qualities),
    ).astype(float)
    ranking: list[tuple[str, int]] = []
    front = 0
    while not points.empty:
        best = pareto_front(points, cost="latency", quality="quality")
        crowding = _crowding(best)
        order = sorted(best.index, key=lambda key: (-crowding[key], latencies_ms[key], key))
        ranking += [(key, front) for key in order]
        points = points.drop(index=best.index)
        front += 1
    return ranking


def _crowding(front: pd.DataFrame) -> dict[str, float]:
    """The distance between each point's two neighbours on a front, as a share of the front, summed over both axes.

    Along a front both axes rise together. Points that are equal on both count as one.
    """
    points = sorted({(math.log(latency), quality) for latency, quality in front.to_numpy(dtype=float)})
    widths = [points[-1][axis] - points[0][axis] for axis in (0, 1)]
    distances = dict.fromkeys(points, math.inf)
    for before, point, after in zip(points, points[1:], points[2:], strict=False):
        distances[point] = sum((after[axis] - before[axis]) / widths[axis] for axis in (0, 1) if widths[axis])
    return {
        key: distances[math.log(latency), quality]
        for key, latency, quality in zip(front.index, front["latency"], front["quality"], strict=True)
    }


@dataclass(frozen=True)
class Dropped:
    """Why a network is not trained further.

    Attributes:
        reason: in words.
        steps: how long it was trained; 0 if not at all.
    """

    reason: str
    steps: int


class Halving:
    """Takes a set of candidates from untrained to the last rung.

    `ask` gives the next trainings, `tell` takes the result of one. All trainings that can run at once are handed out at
    once; no network leaves a rung before the whole rung is known, so the order in which trainings end does not matter.

    From rung to rung the best ranked continue, one in `factor` of those compared, but no fewer than `finalists`:
    halving alone would end with two or three networks, too few for a frontier. The frontier itself may be halved;
    otherwise nothing would be saved where quality rises with latency all the way. From the first `family_rungs` rungs
    the best of each family continues, too: some families learn more slowly than others.

    On the first rung the fastest are trained first, and those beyond `saturation` are not trained at all. That is a
    heuristic: it assumes that where more latency stopped helping, still more does not help either. It holds within a
    family of networks at most: of another family a network that is four times slower may well be better.

    Args:
        latencies_ms: of every candidate, positive.
        rungs: steps of the trainings, rising.
        factor: one in so many continues.
        finalists: at least so many continue from each rung.
        saturation: a candidate is dropped untrained if it is more than so many times slower than the best on the first
            rung (the fastest of several) although two slower than that one were tried. None: never.
        rivals: networks of earlier halvings, which compete but are not trained: quality by steps, by key.
        rival_latencies_ms: their latencies.
        families: the family of each network and rival, within which saturation is judged; None: all are of one.
        family_rungs: from so many of the first rungs the best of each family continues, whatever its rank. A family
            whose best is a rival has had its turn.

    Attributes:
        dropped: networks that are out, with the reason.
        failed: networks that gave no result.
        qualities: quality by steps, by key.
    """

    def __init__(
        self,
        latencies_ms: Mapping[str, float],
        rungs: Sequence[int],
        factor: float = 2.0,
        finalists: int = 4,
        saturation: float | None = 4.0,
        rivals: Mapping[str, Mapping[int, float]] | None = None,
        rival_latencies_ms: Mapping[str, float] | None = None,
        families: Mapping[str, str | None] | None = None,
        family_rungs: int = 0,
    ) -> None:
        if not rungs or list(rungs) != sorted(set(rungs)) or rungs[0] < 1:
            raise ValueError(f"rungs: expected rising numbers of steps, got {list(rungs)}")
        for key, latency_ms in latencies_ms.items():
            if not 0 < latency_ms < math.inf:
                raise ValueError(f"{key}: expected a positive latency, got {latency_ms}")
        self._latencies_ms = {**(rival_latencies_ms or {}), **latencies_ms}
        self._rungs = list(rungs)
        self._factor = factor
        self._fewest = finalists
        self._saturation = saturation
        self._rivals = {key: dict(curve) for key, curve in (rivals or {}).items() if key not in latencies_ms}
        self._families = dict(families or {})
        self._family_rungs = family_rungs
        self._rung = 0
        self._running: set[str] = set()
        self._waiting = sorted(latencies_ms, key=lambda key: (latencies_ms[key], key))
        self.dropped: dict[str, Dropped] = {}
        self.failed: set[str] = set()
        self.qualities: dict[str, dict[int, float]] = {key: {} for key in latencies_ms}

    @property
    def finalists(self) -> list[str]:
        """The networks trained to the end, the fastest first."""
        done = [key for key, curve in self.qualities.items() if self._rungs[-1] in curve]
        return sorted(done, key=self._fastest_first)

    def ask(self, count: int | None = None) -> list[tuple[str, int]]:
        """Up to `count` trainings that can start now, as (key, steps); none while a rung's last trainings run.

        The halving is over when nothing is asked for and nothing is running.
        """
        while self._waiting or self._running or self._enter_next_rung():
            batch: list[tuple[str, int]] = []
            while self._waiting and (count is None or len(batch) < count):
                key = self._waiting.pop(0)
                saturated = self._saturated_by(key) if self._rung == 0 else None
                if saturated is None:
                    batch.append((key, self._rungs[self._rung]))
                else:
                    self.dropped[key] = Dropped(saturated, 0)
            self._running.update(key for key, _ in batch)
            if batch or self._running:
                return batch
        return []

    def tell(self, key: str, quality: float | None) -> None:
        """Report the quality of `key` after the training that was asked for; None if it failed.

        Raises:
            ValueError: no training of it was asked for.
        """
        if key not in self._running:
            raise ValueError(f"{key}: told a result that was not asked for")
        self._running.remove(key)
        if quality is None or not math.isfinite(quality):
            self.failed.add(key)
        else:
            self.qualities[key][self._rungs[self._rung]] = quality

    def _enter_next_rung(self) -> bool:
        """Decide which networks of a complete rung continue; false if none does."""
        if self._rung + 1 == len(self._rungs):
            return False
        steps, compared = self._rungs[self._rung], self._on_rung()
        room = max(math.ceil(len(compared) / self._factor), self._fewest)
        going = {key for key, _ in ranked(self._latencies_ms, compared)[:room]}
        if self._rung < self._family_rungs:
            going |= self._best_of_families(compared)
        own = [key for key, curve in self.qualities.items() if steps in curve]
        for key in own:
            if key not in going:
                self.dropped[key] = Dropped(f"others are better or faster after {steps} steps", steps)
        self._waiting = sorted(going.intersection(own), key=self._fastest_first)
        self._rung += 1
        return bool(self._waiting)

    def _on_rung(self) -> dict[str, float]:
        """The quality of candidates and rivals that have been through this rung."""
        steps = self._rungs[self._rung]
        return {key: curve[steps] for key, curve in {**self.qualities, **self._rivals}.items() if steps in curve}

    def _best_of_families(self, compared: Mapping[str, float]) -> set[str]:
        """The network of each family with the highest quality; the fastest of several. Without a family it is none."""
        best: dict[str, str] = {}
        for key in sorted(compared, key=lambda key: (-compared[key], *self._fastest_first(key))):
            family = self._families.get(key)
            if family is not None:
                best.setdefault(family, key)
        return set(best.values())

    def _fastest_first(self, key: str) -> tuple[float, str]:
        return self._latencies_ms[key], key

    def _saturated_by(self, key: str) -> str | None:
        """Why a candidate is too slow to be worth training, judged by the first rung; None if it is not."""
        family = self._families.get(key)
        reached = {other: quality for other, quality in self._on_rung().items() if self._families.get(other) == family}
        if self._saturation is None or not reached:
            return None
        best_quality = max(reached.values())
        best = min((other for other in reached if reached[other] == best_quality), key=self._fastest_first)
        slower = sum(self._latencies_ms[other] > self._latencies_ms[best] for other in reached)
        if slower < _TRIED_IN_VAIN or self._latencies_ms[key] <= self._saturation * self._latencies_ms[best]:
            return None
        return (
            f"more than {self._saturation:g} times slower than {best}, and no slower one was better after "
            f"{self._rungs[0]} steps"
        )
