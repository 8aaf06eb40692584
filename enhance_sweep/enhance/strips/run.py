"""One photograph's way through a network, pass by pass and strip by strip."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, fx, nn

from enhance_sweep.enhance.memory import MIB, Budget, Store, store
from enhance_sweep.enhance.strips import parts
from enhance_sweep.enhance.strips.images import as_images, as_rows
from enhance_sweep.enhance.strips.tracing import Sized, Traced

#: A strip's size in its pass's largest image. Larger ones gain nothing: this much stays in a cache.
STRIP_BYTES = 2 * MIB
#: Rows of a strip at least.
LEAST_ROWS = 16

Read = Callable[[int, int], Tensor]
Write = Callable[[int, Tensor], None]


class ByStrips:
    """A network that takes photographs of any size in bounded memory.

    Args:
        network: (1, 3, H, W) in [0, 1] to the same, on the CPU; not changed. `parts.py` says what it may be made of.
        dtype: of weights and features. Statistics are gathered in float32 a strip, in float64 over strips.

    Raises:
        NotByStripsError: it has other parts; names the first.
    """

    def __init__(self, network: nn.Module, dtype: torch.dtype = torch.float32) -> None:
        network = copy.deepcopy(network).eval().to(dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for module in network.modules():
            if getattr(module, "inplace", False):
                setattr(module, "inplace", False)  # noqa: B010  # it may be given a store's own memory
        self._traced = Traced(network, dtype)
        self._passes = _Passes(self._traced)

    @torch.inference_mode()
    def least_bytes(self, height: int, width: int) -> int:
        """The bytes that one photograph needs beside its pixels, however small the budget."""
        sized = self._traced.sized(height, width)
        return max(_Strips(self._passes, sized, node).bytes_at_once for node in self._passes.order)

    @torch.inference_mode()
    def __call__(self, read: Read, write: Write, height: int, width: int, budget: Budget, spill_dir: Path) -> None:
        """Enhance one photograph.

        Args:
            read: rows `first` up to `last` of it, (rows, W, 3) in [0, 1], to a tensor of the network's precision.
            write: takes rows of the result from `first` on, (rows, W, 3), each row once, from the top.
            height: of the photograph.
            width: of the photograph.
            budget: for features; what does not fit is kept in a temporary file.
            spill_dir: the folder of that file.

        Raises:
            OSError: the disk has no room.
        """
        run = _Run(self._traced, self._passes, self._traced.sized(height, width), read, budget, spill_dir)
        try:
            run(write)
        finally:
            run.close()


class _Passes:
    """Which images are computed as wholes, in which order, and what each pass reads.

    Attributes:
        kept: the images that are kept until the last pass that reads them.
        order: the image that each pass computes: those that are kept, those of which only statistics are needed, and at
            last the result. What lies between is computed as it is read.
    """

    def __init__(self, traced: Traced) -> None:
        self.traced = traced
        images = traced.images
        kept = {self._end_of_chain(node) for node in images if self._is_dear(node)} - {traced.result}
        self.kept = [node for node in images if node in kept]
        passes = kept | traced.gathered
        self.order = [node for node in images if node in passes and node is not traced.result] + [traced.result]
        self.shared = {node for node in images if node not in kept and len(traced.consumers[node]) > 1}
        #: The images of each pass, from what is read to what it computes.
        self.parts = {node: self._parts_of(node) for node in self.order}

    def dying(self, node: fx.Node) -> list[fx.Node]:
        """The kept images that this pass reads, and none after it."""
        later = self.order[self.order.index(node) + 1 :]
        return [one for one in self.read(node) if not any(one in self.read(other) for other in later)]

    def read(self, node: fx.Node) -> list[fx.Node]:
        """The kept images that a pass reads."""
        return [one for one in self.parts[node] if one in self.kept and one is not node]

    def _parts_of(self, node: fx.Node) -> list[fx.Node]:
        found: dict[fx.Node, None] = {}
        waiting = [node]
        while waiting:
            one = waiting.pop()
            if one not in found:
                found[one] = None
                waiting += [] if one in self.kept and one is not node else self.traced.images[one]
        return [one for one in self.traced.images if one in found]

    def _is_dear(self, node: fx.Node) -> bool:
        """Whether an image is better kept than computed again: convolutions, and sums of two that are read twice."""
        joins = len(self.traced.images[node]) > 1 and len(self.traced.consumers[node]) > 1
        return joins or parts.is_convolution(self.traced.call(node))

    def _end_of_chain(self, node: fx.Node) -> fx.Node:
        """The last of the activations and sums that follow an image, each read once: applied before it is kept."""
        while len(self.traced.consumers[node]) == 1:
            (after,) = self.traced.consumers[node]
            if after not in self.traced.images or not parts.is_kept_instead(self.traced.call(after)):
                break
            node = after
        return node


@dataclass
class _Strips:
    """The strips of one pass: how many rows each has, and which rows of other images it is made of."""

    passes: _Passes
    sized: Sized
    node: fx.Node

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for first in range(0, self.height, self.rows):
            yield first, min(first + self.rows, self.height)

    @property
    def height(self) -> int:
        """Of the image that the pass computes."""
        return self.sized.shapes[self.node].height

    @cached_property
    def rows(self) -> int:
        """How many rows are computed at once."""
        shapes = [self.sized.shapes[one] for one in self.passes.parts[self.node]]
        largest = max(shape.row_bytes * shape.height for shape in shapes) / self.height
        # In multiples, so that strips begin where pixels shuffled by 2, 4, 8 or 16 do.
        return max(int(STRIP_BYTES // largest) // LEAST_ROWS, 1) * LEAST_ROWS

    def read(self, first: int, last: int) -> dict[fx.Node, tuple[int, int]]:
        """The rows of each image of the pass that rows `first` up to `last` of its result are made of."""
        spans = {self.node: (first, last)}
        for one in reversed(self.passes.parts[self.node]):
            if (one in self.passes.kept and one is not self.node) or one not in self.sized.operators:
                continue
            start, end = self.sized.operators[one].reads(*spans[one])
            for source in self.passes.traced.images[one]:
                before = spans.get(source, (start, end))
                spans[source] = min(start, before[0]), max(end, before[1])
        return spans

    @cached_property
    def bytes_at_once(self) -> int:
        """Memory for one strip, at most."""
        strips = list(self)
        first, last = strips[len(strips) // 2]
        sizes = {
            one: (end - start) * self.sized.shapes[one].row_bytes
            for one, (start, end) in self.read(first, last).items()
        }
        own = sizes[self.node]
        remembered = sum(size for one, size in sizes.items() if one in self.passes.shared)
        # Beside what is remembered: a layer's input, padded, and once more in oneDNN's own layout, and its output; and
        # the strip that waits to be written, with what gathers its statistics.
        return remembered + 3 * max(sizes.values()) + 2 * max(sizes.values()) + 3 * own

    def may_overwrite(self, source: fx.Node) -> bool:
        """Whether a strip may be stored over the same rows of what it is made of, once the next one is computed."""
        return all(self.read(*after)[source][0] >= before[0] for before, after in pairwise(self))


class _Run:
    """One photograph on its way through a network."""

    def __init__(
        self, traced: Traced, passes: _Passes, sized: Sized, read: Read, budget: Budget, spill_dir: Path
    ) -> None:
        self._traced, self._passes, self._sized = traced, passes, sized
        self._read, self._budget, self._spill_dir = read, budget, spill_dir
        self._stores: dict[fx.Node, Store] = {}
        self._begun: Store | None = None
        self._remembered: dict[tuple[fx.Node, int, int], Tensor] = {}

    def __call__(self, write: Write) -> None:
        for node in self._traced.nodes:
            if node not in self._traced.images:
                self._sized.compute(node)
            elif node in self._passes.order and node is not self._traced.result:
                self._pass(node)
        shape = self._sized.shapes[self._traced.result]

        def put(first: int, rows: Tensor) -> None:
            write(first, rows.view(len(rows), shape.width, shape.channels))

        self._over(_Strips(self._passes, self._sized, self._traced.result), put)

    def close(self) -> None:
        """Release every store that is still held."""
        for one in {*self._stores.values(), *([self._begun] if self._begun else [])}:
            one.close()
        self._stores.clear()

    def _pass(self, node: fx.Node) -> None:
        """Compute an image over the whole photograph: gather its statistics, and keep it if it is to be kept."""
        strips, moments = _Strips(self._passes, self._sized, node), self._sized.moments_of(node)
        dying = self._passes.dying(node)
        kept = self._begun = self._store_for(node, strips, dying) if node in self._passes.kept else None

        def put(first: int, rows: Tensor) -> None:
            for one in moments:
                one.add(first, rows)
            if kept:
                kept.write(first, rows)

        self._over(strips, put)
        for one in dying:
            finished = self._stores.pop(one)
            if finished is not kept:
                finished.close()
        if kept:
            self._stores[node] = kept
        self._begun = None

    def _store_for(self, node: fx.Node, strips: _Strips, dying: list[fx.Node]) -> Store:
        """Its input's, if no later pass reads that and no strip is overwritten before it is read; else a new one."""
        shape = self._sized.shapes[node]
        for one in dying:
            if self._sized.shapes[one] == shape and strips.may_overwrite(one):
                return self._stores[one]
        return store(shape.height, shape.row_length, shape.dtype, self._budget, self._spill_dir)

    def _over(self, strips: _Strips, put: Write) -> None:
        """Compute all rows, from the top.

        A strip is stored only after the one below it is computed: storing may overwrite its input, and the next strip
        reads a few rows above its own.
        """
        waiting: tuple[int, Tensor] | None = None
        for first, last in strips:
            rows = as_rows(self._rows(strips.node, first, last))
            self._remembered.clear()
            if waiting:
                put(*waiting)
            waiting = first, rows
        assert waiting
        put(*waiting)

    def _rows(self, node: fx.Node, first: int, last: int) -> Tensor:
        """Rows of an image, (1, C, rows, W): as they are kept, or computed from those of the images before it."""
        if node in self._stores:
            return as_images(self._stores[node].read(first, last), self._sized.shapes[node].channels)
        place = node, first, last
        if place in self._remembered:
            return self._remembered[place]
        if node in self._sized.operators:
            operator = self._sized.operators[node]
            inputs = [self._rows(one, *operator.reads(first, last)) for one in self._traced.images[node]]
            rows = operator.rows(inputs, first, last)
        else:
            rows = self._read(first, last).permute(2, 0, 1)[None]
        if node in self._passes.shared:
            self._remembered[place] = rows
        return rows
