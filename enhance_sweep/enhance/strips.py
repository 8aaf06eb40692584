"""A network on a photograph of any size, strip by strip: the whole image's result in bounded memory.

Tiles that know nothing of each other would differ: instance norm takes its statistics from the whole image. So the
network is evaluated layer by layer. Each layer passes over the photograph in strips of rows, each strip read with the
few rows above and below it that the layer's kernel reaches. A layer before a norm gathers the mean and variance of the
whole image as it runs, and the norm is applied when the next layer reads. Every sum is the same as on the whole image
(docs/decisions/enhance-photographs.md).
"""

import copy
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from enhance_sweep.enhance.memory import MIB, Budget, Store, store
from enhance_sweep.models.blocks import Conv2d, ConvTranspose2d, same_padding
from enhance_sweep.models.instance_norm import NORM_EPS, InstanceNorm2d

#: A strip's size in its layer's largest input or output. Larger ones gain nothing: this much stays in a cache.
_STRIP_BYTES = 2 * MIB
#: Strips that live at once, at most: what is read, padded, convolved, waits to be written, and oneDNN's own.
_STRIPS_AT_ONCE = 12
#: Rows of a strip at least; kernels reach less far, as writing in place needs.
_LEAST_ROWS = 16

_POINTWISE_MODULES = (
    *(nn.ReLU, nn.ReLU6, nn.PReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Hardtanh, nn.Softplus),
    *(nn.Tanh, nn.Sigmoid, nn.Hardsigmoid, nn.Identity, nn.Dropout),
)
_POINTWISE_FUNCTIONS: tuple[Callable[..., Any], ...] = (
    *(operator.add, operator.sub, operator.mul, operator.truediv),
    *(torch.add, torch.sub, torch.mul, torch.tanh, torch.sigmoid, torch.relu, torch.clamp, F.relu, F.leaky_relu),
)
_LAYERS = (Conv2d, ConvTranspose2d, InstanceNorm2d, nn.PixelShuffle, nn.PixelUnshuffle)
#: What moves pixels: zeros or copies around an image, and a part cut out of it.
_MOVING = (F.pad, operator.getitem)
_PADDING_MODES = ("constant", "replicate", "reflect")
#: Height and width of the photograph on which a network is tried out before it gets a real one.
_TRIAL = (37, 41)


class NotByStripsError(ValueError):
    """The network has a part that cannot be evaluated strip by strip."""


@dataclass(frozen=True)
class _Shape:
    channels: int
    height: int
    width: int

    @property
    def row_length(self) -> int:
        return self.width * self.channels


class _Rows(Protocol):
    """Something whose rows can be computed: (rows, W C) in the network's precision."""

    def rows(self, first: int, last: int) -> Tensor: ...


class ByStrips:
    """A network that takes photographs of any size in bounded memory.

    Args:
        network: (1, 3, H, W) in [0, 1] to the same, on the CPU; not changed. It may be made of this package's
            convolutions and norms, torch's activations, pixel shuffles, sums and products, `F.pad` and crops.
        dtype: of weights and features. Statistics are gathered in float32 a strip, in float64 over strips.

    Raises:
        NotByStripsError: it has other parts; names the first.
    """

    def __init__(self, network: nn.Module, dtype: torch.dtype = torch.float32) -> None:
        self.dtype = dtype
        network = copy.deepcopy(network).eval().to(dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for module in network.modules():
            if isinstance(module, nn.ReLU | nn.LeakyReLU | nn.Dropout):
                module.inplace = False  # it may be given a store's own memory
        self._traced = _trace(network)
        self._modules = dict(self._traced.named_modules())
        self._on_meta = copy.deepcopy(self._traced).to("meta")
        self._nodes = list(self._traced.graph.nodes)
        self._check()
        self._least_rows = max(_LEAST_ROWS, self._reach())

    def least_bytes(self, height: int, width: int) -> int:
        """The bytes that one photograph needs beside its pixels, however small the budget."""
        shapes = (result for result in self._results(height, width).values() if isinstance(result, _Shape))
        return max(self._strip_bytes(shape) for shape in shapes) * _STRIPS_AT_ONCE

    @torch.inference_mode()
    def __call__(
        self,
        read: Callable[[int, int], Tensor],
        write: Callable[[int, Tensor], None],
        height: int,
        width: int,
        budget: Budget,
        spill_dir: Path,
    ) -> None:
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
        run = _Run(self, read, self._results(height, width), budget, spill_dir)
        try:
            run(write)
        finally:
            run.close()

    @torch.no_grad()
    def _results(self, height: int, width: int) -> dict[fx.Node, Any]:
        """Every node's result, computed without arithmetic: images as their shapes, anything else as it is."""
        results: dict[str, Any] = {}

        class Watch(fx.Interpreter):
            def run_node(self, n: fx.Node) -> Any:
                result = super().run_node(n)
                is_image = isinstance(result, Tensor) and result.dim() == 4
                results[n.name] = _Shape(*result.shape[1:]) if is_image else result
                return result

        Watch(self._on_meta).run(torch.empty(1, 3, height, width, device="meta", dtype=self.dtype))
        return {node: results[node.name] for node in self._nodes}

    def _strip_bytes(self, shape: _Shape) -> int:
        return self.strip_rows(shape) * shape.row_length * self.dtype.itemsize

    def strip_rows(self, shape: _Shape) -> int:
        """How many rows of a layer are taken at once."""
        return max(self._least_rows, _STRIP_BYTES // (shape.row_length * self.dtype.itemsize))

    def _reach(self) -> int:
        """Rows that any pass reaches beyond its own, at most: a kernel's, at the finest of the resolutions."""
        layers = self._modules.values()
        kernels = [layer.kernel_size[0] for layer in layers if isinstance(layer, Conv2d | ConvTranspose2d)]
        factors = [layer.upscale_factor for layer in layers if isinstance(layer, nn.PixelShuffle)]
        factors += [layer.downscale_factor for layer in layers if isinstance(layer, nn.PixelUnshuffle)]
        return (max(kernels, default=0) + 1) * math.prod(factors)

    def _check(self) -> None:
        try:
            results = self._results(*_TRIAL)
        except Exception as error:  # the network's own code, traced on stand-ins for tensors
            raise NotByStripsError(f"the network cannot be traced ({error})") from error
        self._images = {node for node in self._nodes if isinstance(results[node], _Shape)}
        for node in self._nodes:
            if node.op in ("placeholder", "output"):
                continue
            is_other_tensor = isinstance(results[node], Tensor)
            if is_other_tensor or (node in self._images and not self._is_known(node)):
                raise NotByStripsError(self._unknown(node))
            if node.op == "call_function" and node.target in _MOVING and node in self._images:
                _check_moving(node)
        outputs = [node for node in self._nodes if node.op == "output"]
        if len(outputs) != 1 or outputs[0].args[0] not in self._images:
            raise NotByStripsError("the network must give one image to run strip by strip")

    def _is_known(self, node: fx.Node) -> bool:
        if node.op == "call_module":
            return isinstance(self._modules[str(node.target)], (*_LAYERS, *_POINTWISE_MODULES))
        return node.op == "call_function" and node.target in (*_POINTWISE_FUNCTIONS, *_MOVING)

    def _unknown(self, node: fx.Node) -> str:
        module = self.module_of(node)
        what = f"{type(module).__name__} ({node.target})" if module else getattr(node.target, "__name__", node.target)
        return f"the network has a part that does not run strip by strip, {what}, and takes whole images"

    def inputs_of(self, node: fx.Node) -> list[fx.Node]:
        """The images that a node computes from; a transposed convolution's second argument only gives a size."""
        images = [one for one in node.all_input_nodes if one in self._images]
        return images[:1] if node.op == "call_module" else images

    def module_of(self, node: fx.Node) -> nn.Module | None:
        """The layer that a node calls, if it calls one."""
        return self._modules[str(node.target)] if node.op == "call_module" else None

    def is_norm(self, node: fx.Node) -> bool:
        """Whether a node needs statistics of the whole image."""
        return isinstance(self.module_of(node), InstanceNorm2d)

    def is_heavy(self, node: fx.Node) -> bool:
        """Whether a node's result is better kept than computed again: convolutions, and sums of two."""
        return isinstance(self.module_of(node), Conv2d | ConvTranspose2d) or len(self.inputs_of(node)) > 1

    def kept(self) -> list[fx.Node]:
        """The nodes whose results are kept, in order; what lies between is computed as it is read."""
        kept = {self._end_of_chain(node) for node in self._nodes if self.is_heavy(node)}
        kept |= {self.inputs_of(node)[0] for node in self._nodes if self.is_norm(node)}
        return [node for node in self._nodes if node in kept and node is not self.result and node.op != "placeholder"]

    @property
    def result(self) -> fx.Node:
        """The node whose rows are the enhanced photograph."""
        output = next(node for node in self._nodes if node.op == "output")
        return self.inputs_of(output)[0]

    @property
    def nodes(self) -> list[fx.Node]:
        """All of them, in the order in which they run."""
        return self._nodes

    def _end_of_chain(self, node: fx.Node) -> fx.Node:
        """The last of the activations that follow a node and have no other input: applied before it is kept."""
        while len(node.users) == 1:
            (user,) = node.users
            if user.op == "output" or self.is_norm(user) or self.is_heavy(user):
                break
            node = user
        return node


def _check_moving(node: fx.Node) -> None:
    if node.target is F.pad:
        mode = node.args[2] if len(node.args) > 2 else node.kwargs.get("mode", "constant")
        if mode not in _PADDING_MODES:
            raise NotByStripsError(f"the network pads in mode {mode!r}: expected one of {', '.join(_PADDING_MODES)}")
        return
    *others, down, across = _axes(node.args[1])
    slices = [part for part in (down, across) if isinstance(part, slice) and part.step is None]
    if others != [slice(None)] * 2 or len(slices) != 2:
        raise NotByStripsError("the network picks parts of its features other than [..., top:bottom, left:right]")


def _axes(index: Any) -> list[Any]:
    """An index into an image, one part for each of its four axes."""
    parts = list(index) if isinstance(index, tuple) else [index]
    at = next((place for place, part in enumerate(parts) if part is Ellipsis), len(parts))
    return parts[:at] + [slice(None)] * (4 - len(parts) + (at < len(parts))) + parts[at + 1 :]


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, _LAYERS) or super().is_leaf_module(m, module_qualified_name)


def _trace(network: nn.Module) -> fx.GraphModule:
    try:
        return fx.GraphModule(network, _Tracer().trace(network))
    except Exception as error:  # tracing runs the network's own code on stand-ins for tensors
        raise NotByStripsError(f"{type(network).__name__} cannot be traced ({error})") from error


class _Run:
    """One photograph on its way through a network."""

    def __init__(
        self,
        network: ByStrips,
        read: Callable[[int, int], Tensor],
        results: dict[fx.Node, Any],
        budget: Budget,
        spill_dir: Path,
    ) -> None:
        self._network, self._results, self._budget, self._spill_dir = network, results, budget, spill_dir
        self._stores: dict[fx.Node, Store] = {}
        self._values: dict[fx.Node, _Rows] = {}
        self._read = read
        self._kept = network.kept()
        self._sources: dict[fx.Node, frozenset[fx.Node]] = {}

    def __call__(self, write: Callable[[int, Tensor], None]) -> None:
        passes = [*self._kept, self._network.result]
        needs = self._stores_needed()
        for node in self._network.nodes:
            if node.op == "output":
                break
            if not isinstance(self._results[node], _Shape):
                continue
            value = self._value(node)
            if node in self._kept:
                later = set().union(*(needs[other] for other in passes[passes.index(node) + 1 :]))
                dying = [source for source in needs[node] if source not in later]
                value = self._keep(node, value, dying)
            self._values[node] = value
        shape = self._results[self._network.result]

        def put(first: int, rows: Tensor) -> None:
            write(first, rows.view(len(rows), shape.width, shape.channels))

        self._over(self._values[self._network.result], shape, put)

    def close(self) -> None:
        """Release every store that is still held."""
        for one in self._stores.values():
            one.close()
        self._stores.clear()

    def _stores_needed(self) -> dict[fx.Node, frozenset[fx.Node]]:
        """For each node, the kept nodes that are read to compute it."""
        needed: dict[fx.Node, frozenset[fx.Node]] = {}
        for node in self._network.nodes:
            sources = [frozenset([one]) if one in self._kept else needed[one] for one in self._network.inputs_of(node)]
            needed[node] = frozenset().union(*sources)
        return needed

    def _value(self, node: fx.Node) -> _Rows:
        if node.op == "placeholder":
            return _Photograph(self._read)
        module, shape = self._network.module_of(node), self._results[node]
        if not isinstance(module, _LAYERS) and node.target not in _MOVING:
            return _Pointwise(module or node.target, node, self._values, self._results)  # type: ignore[arg-type]
        source = self._network.inputs_of(node)[0]
        value, before = self._values[source], self._results[source]
        if isinstance(module, Conv2d):
            return _Convolved(module, value, before)
        if isinstance(module, ConvTranspose2d):
            return _Enlarged(module, value, before, shape)
        if isinstance(module, InstanceNorm2d):
            assert isinstance(value, _Kept)
            return _Normed(module, value, shape)
        if isinstance(module, nn.PixelShuffle):
            return _Shuffled(value, module.upscale_factor, before)
        if isinstance(module, nn.PixelUnshuffle):
            return _Unshuffled(value, module.downscale_factor, before)
        # Sizes that the network computed stand for the nodes that computed them.
        args: Any
        kwargs: Any
        args, kwargs = fx.node.map_arg((node.args[1:], node.kwargs), self._results.__getitem__)
        if node.target is F.pad:
            return _Padded(value, before, *args, **kwargs)
        _, _, down, across = _axes(args[0])
        return _Cropped(value, before, down.indices(before.height)[0], slice(*across.indices(before.width)))

    def _keep(self, node: fx.Node, value: _Rows, dying: list[fx.Node]) -> "_Kept":
        """Compute a node over the whole photograph into a store; it reuses its input's if no later node reads that."""
        shape = self._results[node]
        same = [one for one in dying if self._results[one] == shape]
        taken = self._stores.pop(same[0]) if same else None
        kept = taken or store(shape.height, shape.row_length, self._network.dtype, self._budget, self._spill_dir)
        self._stores[node] = kept
        moments = _Moments(shape) if any(self._network.is_norm(user) for user in node.users) else None

        def put(first: int, rows: Tensor) -> None:
            if moments:
                moments.add(rows)
            kept.write(first, rows)

        self._over(value, shape, put)
        for one in dying:
            if one in self._stores:
                self._stores.pop(one).close()
        return _Kept(kept, moments)

    def _over(self, value: _Rows, shape: _Shape, put: Callable[[int, Tensor], None]) -> None:
        """Compute all rows, from the top.

        A strip is stored only after the one below it is computed: storing may overwrite its input, and the next strip
        reads a few rows above its own.
        """
        waiting: tuple[int, Tensor] | None = None
        for first, last in _strips(shape.height, self._network.strip_rows(shape)):
            rows = value.rows(first, last)
            if waiting:
                put(*waiting)
            waiting = first, rows
        assert waiting
        put(*waiting)


def _strips(height: int, rows: int) -> Iterator[tuple[int, int]]:
    for first in range(0, height, rows):
        yield first, min(first + rows, height)


def _as_images(rows: Tensor, channels: int) -> Tensor:
    """(rows, W C) to (1, C, rows, W), in the same memory: channels last."""
    return rows.view(1, len(rows), -1, channels).permute(0, 3, 1, 2)


def _as_rows(images: Tensor) -> Tensor:
    """(1, C, rows, W) to (rows, W C)."""
    return images.permute(0, 2, 3, 1).reshape(images.shape[2], -1)


@dataclass(frozen=True)
class _Photograph:
    read: Callable[[int, int], Tensor]

    def rows(self, first: int, last: int) -> Tensor:
        return self.read(first, last).flatten(1)


class _Moments:
    """Mean and variance of each channel over all strips (Chan, Golub & LeVeque 1979), in float64."""

    def __init__(self, shape: _Shape) -> None:
        self._channels = shape.channels
        self._count = 0
        self.mean = torch.zeros(shape.channels, dtype=torch.float64)
        self._squares = torch.zeros(shape.channels, dtype=torch.float64)

    def add(self, rows: Tensor) -> None:
        """Add a strip, (rows, W C)."""
        values = rows.float()
        count = values.numel() // self._channels
        # Along columns of W C numbers first: a sum over C numbers a pixel is slow.
        mean = values.mean(dim=0).view(-1, self._channels).double().mean(dim=0)
        centred = values - mean.float().repeat(values.shape[1] // self._channels)
        squares = centred.square_().sum(dim=0).view(-1, self._channels).double().sum(dim=0)
        total = self._count + count
        step = mean - self.mean
        self.mean += step * (count / total)
        self._squares += squares + step.square() * (self._count * count / total)
        self._count = total

    @property
    def variance(self) -> Tensor:
        """Biased."""
        return self._squares / self._count


@dataclass(frozen=True)
class _Kept:
    store: Store
    moments: _Moments | None

    def rows(self, first: int, last: int) -> Tensor:
        return self.store.read(first, last)


class _Normed:
    """Instance norm with the statistics of the whole image."""

    def __init__(self, norm: InstanceNorm2d, source: _Kept, shape: _Shape) -> None:
        assert source.moments
        self._source = source
        moments = source.moments
        scale = torch.rsqrt(moments.variance + NORM_EPS) * norm.weight.double()
        shift = norm.bias.double() - moments.mean * scale
        self._scale, self._shift = (values.float().repeat(shape.width) for values in (scale, shift))

    def rows(self, first: int, last: int) -> Tensor:
        rows = self._source.rows(first, last)
        return torch.addcmul(self._shift, rows.float(), self._scale).to(rows.dtype)


class _Pointwise:
    """Activations, sums and products: each number of the result depends only on those in the same place."""

    def __init__(
        self,
        function: Callable[..., Any],
        node: fx.Node,
        values: dict[fx.Node, _Rows],
        results: dict[fx.Node, Any],
    ) -> None:
        self._function, self._node, self._values, self._results = function, node, values, results

    def rows(self, first: int, last: int) -> Tensor:
        inputs = {one: self._results[one] for one in self._node.all_input_nodes}
        for one, shape in inputs.items():
            if isinstance(shape, _Shape):
                inputs[one] = _as_images(self._values[one].rows(first, last), shape.channels)
        args, kwargs = fx.node.map_arg((self._node.args, self._node.kwargs), inputs.__getitem__)
        return _as_rows(self._function(*args, **kwargs))


class _Convolved:
    """A convolution with "same" zero padding; each strip gives the rows that the whole image would."""

    def __init__(self, conv: Conv2d, source: _Rows, before: _Shape) -> None:
        self._conv, self._source, self._before = conv, source, before
        kernel_size, self._stride = conv.kernel_size[0], conv.stride[0]
        self._reach = kernel_size - self._stride
        self._top, _ = same_padding(before.height, kernel_size, self._stride)
        self._sides = same_padding(before.width, kernel_size, self._stride)

    def rows(self, first: int, last: int) -> Tensor:
        start = first * self._stride - self._top
        end = last * self._stride - self._top + self._reach
        inside = self._source.rows(max(start, 0), min(end, self._before.height))
        above, below = max(-start, 0), max(end - self._before.height, 0)
        images = _as_images(inside, self._before.channels)
        left, right = self._sides
        beside = left if left == right else 0
        if above or below or left != right:
            own = (0, 0) if left == right else (left, right)
            images = F.pad(images, (*own, above, below))
        return _as_rows(F.conv2d(images, self._conv.weight, self._conv.bias, self._conv.stride, (0, beside)))


class _Enlarged:
    """A stride-2 transposed convolution, cropped to the size that it restores."""

    def __init__(self, conv: ConvTranspose2d, source: _Rows, before: _Shape, after: _Shape) -> None:
        self._conv, self._source, self._before, self._after = conv, source, before, after
        self._kernel_size = conv.kernel_size[0]
        self._top, _ = same_padding(after.height, self._kernel_size, 2)
        self._left, _ = same_padding(after.width, self._kernel_size, 2)

    def rows(self, first: int, last: int) -> Tensor:
        # Input row i adds to rows 2 i up to 2 i + k of the uncropped result.
        start = max(0, -(-(first + self._top - self._kernel_size + 1) // 2))
        end = min(self._before.height, (last - 1 + self._top) // 2 + 1)
        images = _as_images(self._source.rows(start, end), self._before.channels)
        whole = F.conv_transpose2d(images, self._conv.weight, self._conv.bias, 2)
        top = first + self._top - 2 * start
        return _as_rows(whole[:, :, top : top + last - first, self._left : self._left + self._after.width])


@dataclass(frozen=True)
class _Shuffled:
    """Depth to space: channels become pixels, (C r r, H, W) to (C, H r, W r)."""

    source: _Rows
    factor: int
    before: _Shape

    def rows(self, first: int, last: int) -> Tensor:
        start, end = first // self.factor, -(-last // self.factor)
        images = F.pixel_shuffle(_as_images(self.source.rows(start, end), self.before.channels), self.factor)
        top = first - start * self.factor
        return _as_rows(images[:, :, top : top + last - first])


@dataclass(frozen=True)
class _Unshuffled:
    """Space to depth: pixels become channels, (C, H r, W r) to (C r r, H, W)."""

    source: _Rows
    factor: int
    before: _Shape

    def rows(self, first: int, last: int) -> Tensor:
        rows = self.source.rows(first * self.factor, last * self.factor)
        return _as_rows(F.pixel_unshuffle(_as_images(rows, self.before.channels), self.factor))


class _Padded:
    """`F.pad` of height and width."""

    def __init__(
        self, source: _Rows, before: _Shape, pad: Sequence[int], mode: str = "constant", value: float | None = None
    ) -> None:
        self._source, self._before, self._mode, self._value = source, before, mode, value or 0.0
        left, right, self._top, *_ = (*pad, 0, 0)
        self._sides = left, right

    def rows(self, first: int, last: int) -> Tensor:
        wanted = torch.arange(first - self._top, last - self._top)
        bottom = self._before.height - 1
        taken = bottom - (bottom - wanted.abs()).abs() if self._mode == "reflect" else wanted.clamp(0, bottom)
        start, end = int(taken.min()), int(taken.max()) + 1
        rows = self._source.rows(start, end)[taken - start]
        sides = (*self._sides, 0, 0)
        if self._mode != "constant":
            return _as_rows(F.pad(_as_images(rows, self._before.channels), sides, self._mode))
        rows[(wanted < 0) | (wanted > bottom)] = self._value
        return _as_rows(F.pad(_as_images(rows, self._before.channels), sides, value=self._value))


@dataclass(frozen=True)
class _Cropped:
    """`features[..., top:bottom, left:right]`."""

    source: _Rows
    before: _Shape
    top: int
    across: slice

    def rows(self, first: int, last: int) -> Tensor:
        images = _as_images(self.source.rows(first + self.top, last + self.top), self.before.channels)
        return _as_rows(images[..., self.across])
