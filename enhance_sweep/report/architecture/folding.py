"""Shorten a network that is too long to draw whole: fold repeated parts, then leave out the middle."""

from collections.abc import Sequence
from dataclasses import replace

from enhance_sweep.report.architecture.network import PHOTOGRAPH, Fold, Node

#: A longer network has its repetitions folded, and then its middle left out.
MOST_NODES = 24
#: Longer parts are not recognised as repeated.
_LONGEST_PART = 16


def shortened(nodes: list[Node]) -> tuple[list[Node], list[Fold]]:
    """Fold repeated residual blocks; of a longer network fold any repetition, and then leave out the middle."""
    shorter, folds = _folded(nodes, chains=False)
    if len(shorter) > MOST_NODES:
        shorter, folds = _folded(nodes, chains=True)
    if len(shorter) > MOST_NODES:
        shorter, folds = _without_middle(shorter, folds)
    return shorter, folds


def _folded(nodes: Sequence[Node], chains: bool) -> tuple[list[Node], list[Fold]]:
    """Keep the first of each run of equal parts.

    Args:
        nodes: all of them.
        chains: whether three or more equal parts that do not end in a join are a run, too.
    """
    kept: list[Node] = []
    folds: list[Fold] = []
    moved = {PHOTOGRAPH: PHOTOGRAPH}
    index = 0
    while index < len(nodes):
        length, times = _run(nodes, index, chains)
        start = len(kept)
        for node in nodes[index : index + length]:
            kept.append(replace(node, inputs=tuple(moved[source] for source in node.inputs)))
            moved[index + len(kept) - 1 - start] = len(kept) - 1
        index += times * length
        if times > 1:
            folds.append(Fold(start, len(kept), times))
            moved[index - 1] = len(kept) - 1
    return kept, folds


def _run(nodes: Sequence[Node], start: int, chains: bool) -> tuple[int, int]:
    """Length and number of the equal parts that begin at a node; (1, 1) where there is no run."""
    best = (1, 1)
    for length in range(1, min(_LONGEST_PART, (len(nodes) - start) // 2) + 1):
        is_block = nodes[start + length - 1].kind == "join"
        if not (is_block or chains):
            continue
        stop = start + length
        while stop < len(nodes) and _look(nodes, stop) == _look(nodes, stop - length):
            stop += 1
        times = (stop - start) // length
        stop = start + times * length
        if times < (2 if is_block else 3) or times * length <= best[0] * best[1]:
            continue
        # Parts that read from further back, or that later nodes read from within, cannot be shown as one.
        is_closed = all(source >= start - 1 for node in nodes[start : start + length] for source in node.inputs)
        if is_closed and not any(start <= source < stop - 1 for node in nodes[stop:] for source in node.inputs):
            best = (length, times)
    return best


def _look(nodes: Sequence[Node], index: int) -> Node:
    """A node with its inputs counted from itself: equal wherever it stands."""
    return replace(nodes[index], inputs=tuple(sorted(source - index for source in nodes[index].inputs)))


def _without_middle(nodes: Sequence[Node], folds: Sequence[Fold]) -> tuple[list[Node], list[Fold]]:
    """Keep the beginning and the end, and put one node for all the rest between them."""
    first, last = MOST_NODES // 2, len(nodes) - (MOST_NODES - MOST_NODES // 2 - 1)
    for fold in folds:  # a repeated part is shown whole or not at all
        first = fold.start if fold.start < first < fold.stop else first
        last = fold.stop if fold.start < last < fold.stop else last
    times = {index: fold.times for fold in folds for index in fold.nodes}
    hidden = [(node, times.get(index, 1)) for index, node in enumerate(nodes[first:last], first)]
    count = sum(node.layers * number for node, number in hidden)
    macs = sum(node.macs * number for node, number in hidden)
    label = f"{count:,} more layers"
    more = replace(nodes[last - 1], kind="more", label=label, inputs=(first - 1,), bands=(), macs=macs, layers=count)
    shift = first + 1 - last

    def moved(node: Node) -> Node:
        sources = [source if source < first else max(source + shift, first) for source in node.inputs]
        return replace(node, inputs=tuple(dict.fromkeys(sources)))

    kept = [*nodes[:first], more, *(moved(node) for node in nodes[last:])]
    after = [Fold(fold.start + shift, fold.stop + shift, fold.times) for fold in folds if fold.start >= last]
    return kept, [fold for fold in folds if fold.stop <= first] + after
