"""Where connections run that pass some layers by, and the frames around what is repeated: beside everything they pass.

The same along both directions of drawing: a place along the flow, and how far out from its middle.
"""

from dataclasses import dataclass, field

from enhance_sweep.report.architecture.network import Fold, Network
from enhance_sweep.report.architecture.sheet import LANE

#: More connections than these make no readable picture; the shortest are drawn.
_MOST_SKIPS = 12


@dataclass(frozen=True)
class Skip:
    """A connection past at least one node."""

    source: int
    target: int

    @property
    def nodes_passed(self) -> int:
        """How many."""
        return self.target - self.source - 1


@dataclass
class Outside:
    """How far out things reach, by the row that they are in and the stretch along the flow that they take."""

    _taken: list[tuple[int, float, float, float]] = field(default_factory=list)

    def take(self, row: int, start: float, stop: float, reach: float) -> None:
        """Something reaches so far."""
        self._taken.append((row, start, stop, reach))

    def reach(self, row: int, start: float, stop: float) -> float:
        """How far whatever is there reaches."""
        met = (reach for other, a, b, reach in self._taken if other == row and a < stop and start < b)
        return max(met, default=0.0)

    def lane(self, row: int, start: float, stop: float) -> float:
        """Take the next free lane beside all that is there."""
        reach = self.reach(row, start, stop) + LANE
        self.take(row, start, stop, reach + 0.02)
        return reach


def skips_of(network: Network) -> tuple[list[Skip], int]:
    """The connections that do not simply go on, the shortest first, and how many more there are than can be drawn."""
    skips = [
        Skip(source, index) for index, node in enumerate(network.nodes) for source in node.inputs if source != index - 1
    ]
    skips.sort(key=lambda skip: (skip.nodes_passed, skip.source))
    return skips[:_MOST_SKIPS], len(skips[_MOST_SKIPS:])


def goes_on(network: Network, index: int) -> bool:
    """Whether a node reads the one before it."""
    return index - 1 in network.nodes[index].inputs


def fold_of(network: Network, skip: Skip) -> Fold | None:
    """What is repeated around a connection that begins where it begins, or within it."""
    for fold in network.folds:
        if fold.start - 1 <= skip.source and fold.start <= skip.target < fold.stop:
            return fold
    return None


def starts_at(network: Network, skip: Skip) -> Fold | None:
    """The fold whose input a connection takes, so that it leaves within its frame."""
    fold = fold_of(network, skip)
    return fold if fold and skip.source == fold.start - 1 else None
