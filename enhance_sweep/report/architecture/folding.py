"""Networks too long to be drawn whole: repetitions once, and then without the middle."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from enhance_sweep.report.architecture.network import PHOTOGRAPH, Fold, Node

#: More nodes than these are not drawn; repetitions are folded, and then the middle is left out.
MOST_NODES = 24
#: How many nodes the longest part may have that is recognised as repeated.
_LONGEST_PART = 16


def shortened(nodes: list[Node]) -> tuple[list[Node], list[Fold]]:
    """Repeated residual blocks once; of a longer network any repetition once, and then without its middle."""
    shorter, folds = _folded(nodes, chains=False)
    if len(shorter) > MOST_NODES:
        shorter, folds = _folded(nodes, chains=True)
    if len(shorter) > MOST_NODES:
        shorter, folds = _without_middle(shorter, folds)
    return shorter, folds


def _folded(nodes: Sequence[Node], chains: bool) -> tuple[list[Node], list[Fold]]:
    """Each run of equal parts as its first one.

    Args:
        nodes: all of them.
        chains: whether three or more equal parts that end in no join are taken for a run, too.
    """
    looks = [
        replace(node, inputs=tuple(sorted(source - index for source in node.inputs)))
        for index, node in enumerate(nodes)
    ]
    last_reader = {source: index for index, node in enumerate(nodes) for source in node.inputs}
    kept: list[Node] = []
    folds: list[Fold] = []
    moved = {PHOTOGRAPH: PHOTOGRAPH}
    place = 0
    while place < len(nodes):
        length, times = _run(nodes, looks, last_reader, place, chains)
        start = len(kept)
        for index in range(place, place + length):
            moved[index] = len(kept)
            kept.append(replace(nodes[index], inputs=tuple(moved[source] for source in nodes[index].inputs)))
        if times > 1:
            folds.append(Fold(start, len(kept), times))
            moved[place + times * length - 1] = len(kept) - 1
        place += times * length
    return kept, folds


def _run(
    nodes: Sequence[Node], looks: Sequence[Node], last_reader: Mapping[int, int], place: int, chains: bool
) -> tuple[int, int]:
    """Length and number of the equal parts that begin at a place; (1, 1) where there is no run."""
    best = (1, 1)
    for length in range(1, min(_LONGEST_PART, (len(nodes) - place) // 2) + 1):
        part = looks[place : place + length]
        is_block = part[-1].kind == "join"
        if not (is_block or chains):
            continue
        times = 1
        while looks[place + times * length : place + (times + 1) * length] == part:
            times += 1
        stop = place + times * length
        inside = range(place, stop - 1)
        # What a part reads from further before, or what others read from within it, a single one could not show.
        is_closed = all(min(node.inputs, default=place) >= place - 1 for node in nodes[place : place + length])
        is_closed &= all(last_reader.get(index, 0) < stop for index in inside)
        if times >= (2 if is_block else 3) and is_closed and times * length > best[0] * best[1]:
            best = (length, times)
    return best


def _without_middle(nodes: Sequence[Node], folds: Sequence[Fold]) -> tuple[list[Node], list[Fold]]:
    """The beginning and the end, and between them one node that stands for the rest."""
    first, last = MOST_NODES // 2, len(nodes) - (MOST_NODES - MOST_NODES // 2 - 1)
    for fold in folds:  # a part is shown whole or not at all
        first = fold.start if fold.start < first < fold.stop else first
        last = fold.stop if fold.start < last < fold.stop else last
    times = {index: fold.times for fold in folds for index in range(fold.start, fold.stop)}
    hidden = list(enumerate(nodes))[first:last]
    count = sum(node.layers * times.get(index, 1) for index, node in hidden)
    macs = sum(node.macs * times.get(index, 1) for index, node in hidden)
    edge = nodes[last - 1]
    more = Node("more", f"{count:,} more layers", edge.channels, edge.size, (first - 1,), macs=macs, layers=count)

    def moved(node: Node) -> Node:
        sources = [source if source < first else max(source - last + first + 1, first) for source in node.inputs]
        return replace(node, inputs=tuple(dict.fromkeys(sources)))

    kept = [*nodes[:first], more, *(moved(node) for node in nodes[last:])]
    shift = first + 1 - last
    after = [Fold(fold.start + shift, fold.stop + shift, fold.times) for fold in folds if fold.start >= last]
    return kept, [fold for fold in folds if fold.stop <= first] + after
