"""Lanes for skip connections, outside the layers that they pass; a lane has room for one connection."""

from dataclasses import dataclass, field

from enhance_sweep.report.architecture.network import Fold, Network
from enhance_sweep.report.architecture.sheet import LANE

#: A drawing with more connections is unreadable; the shortest are drawn.
_MOST_SKIPS = 12


@dataclass(frozen=True)
class Skip:
    """A connection from node `source` to node `target` that skips at least one node."""

    source: int
    target: int


@dataclass
class Outside:
    """How far out a row is occupied, in inches, for each stretch along the flow."""

    _taken: list[tuple[int, float, float, float]] = field(default_factory=list)

    def take(self, row: int, start: float, stop: float, reach: float) -> None:
        """Occupy the row between `start` and `stop` as far out as `reach`."""
        self._taken.append((row, start, stop, reach))

    def reach(self, row: int, start: float = float("-inf"), stop: float = float("inf")) -> float:
        """How far out anything between `start` and `stop` reaches."""
        met = (reach for other, a, b, reach in self._taken if other == row and a < stop and start < b)
        return max(met, default=0.0)

    def lane(self, row: int, start: float, stop: float) -> float:
        """Take the next free lane, further out than everything in this stretch."""
        reach = self.reach(row, start, stop) + LANE
        self.take(row, start, stop, reach + 0.02)
        return reach


def skips_of(network: Network) -> tuple[list[Skip], int]:
    """The connections past other nodes, the shortest first, and how many more there are than can be drawn."""
    skips = [
        Skip(source, index) for index, node in enumerate(network.nodes) for source in node.inputs if source != index - 1
    ]
    skips.sort(key=lambda skip: (skip.target - skip.source, skip.source))
    return skips[:_MOST_SKIPS], len(skips[_MOST_SKIPS:])


def fold_around(network: Network, skip: Skip) -> Fold | None:
    """The repeated part that contains a connection, or whose input the connection starts from."""
    inside = (fold for fold in network.folds if fold.start - 1 <= skip.source and skip.target in fold.nodes)
    return next(inside, None)


def fold_entered(network: Network, skip: Skip) -> Fold | None:
    """The repeated part whose input a connection starts from; it then starts within the frame."""
    fold = fold_around(network, skip)
    return fold if fold and skip.source == fold.start - 1 else None
