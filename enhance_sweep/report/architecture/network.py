"""A network as its drawing shows it: convolutions, joins, and their connections."""

from dataclasses import dataclass

#: The photograph, which the first layer reads: the index before the first node.
PHOTOGRAPH = -1


@dataclass(frozen=True)
class Node:
    """One part of the drawing.

    Attributes:
        kind: `layer` (a box), `resize` (a trapezoid: a shuffle, an enlargement, a pooling or a statistic), `join`
            (features meet; `label` is the operation), `bands` (a norm or an activation that belongs to no box), `more`
            (layers left out), or `photograph`.
        channels, size: of its output; the size is (height, width) in pixels.
        size_in: of its input.
        inputs: indices of the nodes that it reads, or `PHOTOGRAPH`.
        bands: a role (`norm`, `activation` or `other`) and the layer's kind, for each layer without a box of its own.
        macs: multiply-adds.
        layers: how many layers it stands for.
    """

    kind: str
    label: str
    channels: int
    size: tuple[int, int]
    inputs: tuple[int, ...]
    bands: tuple[tuple[str, str], ...] = ()
    macs: int = 0
    layers: int = 1
    size_in: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Fold:
    """Nodes from `start` to before `stop`, which run `times` times, one after the other."""

    start: int
    stop: int
    times: int

    @property
    def nodes(self) -> range:
        """Their indices."""
        return range(self.start, self.stop)


@dataclass(frozen=True)
class Network:
    """What is drawn: `nodes` in the order in which they run, each after the nodes that it reads."""

    nodes: tuple[Node, ...]
    folds: tuple[Fold, ...]
    name: str
    parameters: int | None
    macs: int
    size: tuple[int, int]
    channels: int

    def share(self, index: int) -> float | None:
        """A node's share of all multiply-adds, with its repetitions; None where none are counted."""
        times = next((fold.times for fold in self.folds if index in fold.nodes), 1)
        return self.nodes[index].macs * times / self.macs if self.macs else None

    def shares(self) -> list[tuple[range, float]]:
        """The shares to write, each with its nodes: a layer's own, or a repeated part's total."""
        repeated = [fold.nodes for fold in self.folds]
        in_folds = {index for part in repeated for index in part}
        single = [range(index, index + 1) for index, node in enumerate(self.nodes) if node.kind in ("layer", "more")]
        parts = [*(part for part in single if part.start not in in_folds), *repeated]
        return [(part, sum(self.share(index) or 0.0 for index in part)) for part in parts if self.macs]


def in_words(network: Network) -> str:
    """Describe the drawing for readers who cannot see it: `9×9 to 64 channels, 4 times (3×3 to 64 channels, ...)`."""
    parts = []
    starts = {fold.start: fold for fold in network.folds}
    stops = {fold.stop - 1 for fold in network.folds}
    for index, node in enumerate(network.nodes):
        text = f"{node.label} to {node.channels} channels" if node.kind in ("layer", "resize") else node.label
        text = f"{starts[index].times} times ({text}" if index in starts else text
        parts.append(f"{text})" if index in stops else text)
    return f"{network.name}: {', '.join(parts)}" if network.name else ", ".join(parts)
