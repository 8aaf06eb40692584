"""What a picture of a network shows: convolutions, joins, and what reads what."""

from dataclasses import dataclass

#: What the first layer reads: the photograph, at the place before the first node.
PHOTOGRAPH = -1


@dataclass(frozen=True)
class Node:
    """One thing of the picture.

    `kind` is `layer` (a box), `join` (a sum, with `label` its operation), `bands` (a norm or an activation that
    belongs to no box) or `more` (what is left out). `inputs` are places of other nodes, or `PHOTOGRAPH`. `bands` are
    pairs of a role, `norm`, `activation` or `other`, and the layer's kind.
    """

    kind: str
    label: str
    channels: int
    size: tuple[int, int]
    inputs: tuple[int, ...]
    bands: tuple[tuple[str, str], ...] = ()
    macs: int = 0
    layers: int = 1


@dataclass(frozen=True)
class Fold:
    """Nodes from `start` to before `stop`, of which there are so many, one after the other."""

    start: int
    stop: int
    times: int


@dataclass(frozen=True)
class Network:
    """What there is to draw: `nodes` in the order in which they run, each input before what reads it."""

    nodes: tuple[Node, ...]
    folds: tuple[Fold, ...]
    name: str
    parameters: int | None
    macs: int
    size: tuple[int, int]
    channels: int

    def times(self, index: int) -> int:
        """How many of a node there are."""
        return next((fold.times for fold in self.folds if fold.start <= index < fold.stop), 1)

    def share(self, index: int) -> float | None:
        """The part of all multiply-adds that a node has, with all its repetitions; None where none are counted."""
        return self.nodes[index].macs * self.times(index) / self.macs if self.macs else None


def in_words(network: Network) -> str:
    """The picture for who cannot see it: `9×9 to 64 channels, 4 times (3×3 to 64 channels, ...), ...`."""
    parts = []
    starts = {fold.start: fold for fold in network.folds}
    stops = {fold.stop - 1 for fold in network.folds}
    for index, node in enumerate(network.nodes):
        text = f"{node.label} to {node.channels} channels" if node.kind == "layer" else node.label
        text = f"{starts[index].times} times ({text}" if index in starts else text
        parts.append(f"{text})" if index in stops else text)
    return f"{network.name}: {', '.join(parts)}" if network.name else ", ".join(parts)
