"""Which parts of networks are known, and what stands for each when only some rows of an image are computed."""

import operator as python
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from enhance_sweep.enhance.strips import operators
from enhance_sweep.enhance.strips.images import Shape
from enhance_sweep.enhance.strips.moments import Moments
from enhance_sweep.enhance.strips.operators import Operator, Window
from enhance_sweep.models.blocks import Conv2d, ConvTranspose2d, same_padding
from enhance_sweep.models.instance_norm import NORM_EPS, InstanceNorm2d
from enhance_sweep.models.statistics import ChannelMoments

#: Layers of this package that are known whole; whatever else it has is made of these and torch's.
OWN_LAYERS = (Conv2d, ConvTranspose2d, InstanceNorm2d, ChannelMoments)

_POINTWISE_MODULES = (
    *(nn.ReLU, nn.ReLU6, nn.PReLU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish),
    *(nn.Hardtanh, nn.Softplus, nn.Softsign, nn.Tanh, nn.Sigmoid, nn.LogSigmoid, nn.Hardsigmoid, nn.Identity),
    *(nn.Dropout, nn.Dropout2d, nn.BatchNorm2d),  # in evaluation mode
)
#: Names of torch's functions and of tensors' methods.
_POINTWISE = (
    *("abs", "add", "addcdiv", "addcmul", "clamp", "clamp_max", "clamp_min", "clip", "clone", "cos", "div", "divide"),
    *("eq", "exp", "exp2", "expm1", "floor", "ge", "gt", "le", "lerp", "log", "log1p", "log2", "lt", "maximum"),
    *("minimum", "mul", "multiply", "ne", "neg", "pow", "reciprocal", "relu", "round", "rsqrt", "sigmoid", "sign"),
    *("sin", "sqrt", "square", "sub", "subtract", "tanh", "true_divide", "where"),
)
_POINTWISE_METHODS = frozenset((*_POINTWISE, "bfloat16", "contiguous", "detach", "float", "to", "type_as"))
_POINTWISE_FUNCTIONS: frozenset[Callable[..., Any]] = frozenset(
    (
        *(getattr(torch, name) for name in _POINTWISE),
        *(python.abs, python.add, python.mul, python.neg, python.pos, python.pow, python.sub, python.truediv),
        *(python.eq, python.ge, python.gt, python.le, python.lt, python.ne),
        *(F.celu, F.elu, F.gelu, F.hardsigmoid, F.hardswish, F.hardtanh, F.leaky_relu, F.logsigmoid, F.mish, F.relu),
        *(F.relu6, F.selu, F.sigmoid, F.silu, F.softplus, F.softsign, F.tanh),
    )
)
_CONCATENATIONS = (torch.cat, torch.concat, torch.concatenate)
_SPLITS = (torch.chunk, torch.split, "chunk", "split")
_MEANS = (torch.mean, "mean")
#: Along channels, one number for each pixel, or as many as before.
_REDUCTIONS = (torch.sum, torch.mean, torch.amax, torch.amin, "sum", "mean", "amax", "amin")
_SOFTMAX = (torch.softmax, F.softmax, "softmax")
_CHANNELS = (1, -3)
_PADDING_MODES = ("constant", "replicate", "reflect")
_PADDING_MODULES = {
    nn.ZeroPad2d: "constant",
    nn.ConstantPad2d: "constant",
    nn.ReplicationPad2d: "replicate",
    nn.ReflectionPad2d: "reflect",
}
_MODES = ("nearest", "nearest-exact", "bilinear")

Results = Callable[[fx.Node], Any]


class NotByStripsError(ValueError):
    """The network has a part that cannot be evaluated strip by strip."""


@dataclass(frozen=True)
class Call:
    """What a node of a network's graph calls, and with what.

    Attributes:
        node: the node.
        module: the layer that it calls, if it calls one.
    """

    node: fx.Node
    module: nn.Module | None

    @property
    def target(self) -> Any:
        """The function, or a method's name; None where it is a layer."""
        return None if self.module is not None else self.node.target

    @property
    def function(self) -> Callable[..., Any]:
        """To be called with the node's arguments; it never changes them."""
        if self.module is not None:
            return self.module
        name = self.target
        function = name if callable(name) else lambda image, *args, **kwargs: getattr(image, name)(*args, **kwargs)
        if self.node.kwargs.get("inplace"):
            return lambda *args, **kwargs: function(*args, **(kwargs | {"inplace": False}))
        return function

    @property
    def name(self) -> str:
        """For messages."""
        if self.module is not None:
            return f"{type(self.module).__name__} ({self.node.target})"
        return str(getattr(self.target, "__name__", self.target))

    def arguments(self, *names: str, results: Results | None = None) -> dict[str, Any]:
        """What is passed beside the image, by these names in order; sizes that the network computed are looked up."""
        positional = self.node.args if "input" in self.node.kwargs else self.node.args[1:]
        found: Any = dict(zip(names, positional, strict=False)) | self.node.kwargs
        return dict(fx.node.map_arg(found, results) if results else found)


@dataclass(frozen=True)
class Statistic:
    """Few numbers about the whole of an image.

    Attributes:
        step: every step-th pixel of every step-th row counts.
        of: the numbers, from mean and biased variance of each channel, (C,) each in float64.
    """

    step: int
    of: Callable[[Tensor, Tensor], Tensor]


def unknown(call: Call) -> NotByStripsError:
    """The error that names a part that is not known."""
    return NotByStripsError(
        f"the network has a part that does not run strip by strip, {call.name}, and takes whole images"
    )


def is_split(call: Call) -> bool:
    """Whether it cuts an image into pieces along channels."""
    return call.target in _SPLITS and call.arguments("size", "dim").get("dim", 0) in _CHANNELS


def pieces(call: Call) -> int | None:
    """Into how many pieces it cuts an image, if its arguments say so."""
    if not is_split(call):
        return None
    size = call.arguments("size", "dim").get("size", call.node.kwargs.get("chunks"))
    if call.target in (torch.chunk, "chunk"):
        return size if isinstance(size, int) else None
    return len(size) if isinstance(size, Sequence) else None


def statistic(call: Call) -> Statistic | None:
    """What is computed from the whole of an image, if that is known."""
    means = Statistic(1, lambda mean, variance: mean)
    if isinstance(call.module, ChannelMoments):
        eps = call.module.eps
        return Statistic(call.module.step, lambda mean, variance: torch.cat([mean, (variance + eps).sqrt()]))
    if isinstance(call.module, nn.AdaptiveAvgPool2d):
        return means if _pair(call.module.output_size) == (1, 1) else None
    if call.target is F.adaptive_avg_pool2d:
        return means if _pair(call.arguments("output_size")["output_size"]) == (1, 1) else None
    if call.target in _MEANS:
        axes = call.arguments("dim").get("dim")
        return means if isinstance(axes, Sequence) and sorted(axis % 4 for axis in axes) == [2, 3] else None
    return None


def norm_step(call: Call) -> int | None:
    """Of an instance norm: every how-many-th pixel of every how-many-th row its statistics come from."""
    if isinstance(call.module, InstanceNorm2d):
        return call.module.step
    if isinstance(call.module, nn.InstanceNorm2d) and not call.module.track_running_stats:
        return 1
    return None


def normed(call: Call, moments: Moments, shape: Shape) -> Operator:
    """An instance norm with these statistics."""
    norm: Any = call.module
    eps = NORM_EPS if isinstance(norm, InstanceNorm2d) else norm.eps
    return operators.Normed(norm.weight, norm.bias, eps, moments, shape)


def is_pointwise(call: Call) -> bool:
    """Whether each pixel of the result depends only on those in the same place."""
    if call.module is not None:
        return isinstance(call.module, _POINTWISE_MODULES)
    target = call.target
    if target in _CONCATENATIONS or target in _SOFTMAX:
        return call.arguments("dim").get("dim", 0) in _CHANNELS
    if target in _REDUCTIONS:
        return _along_channels(call)
    return target in (_POINTWISE_METHODS if call.node.op == "call_method" else _POINTWISE_FUNCTIONS)


def _along_channels(call: Call) -> bool:
    arguments = call.arguments("dim", "keepdim")
    axes = arguments.get("dim")
    axes = axes if isinstance(axes, Sequence) else [axes]
    return len(axes) == 1 and axes[0] in _CHANNELS and bool(arguments.get("keepdim"))


def pointwise(call: Call, images: Sequence[fx.Node], results: Results, shape: Shape) -> Operator:
    """Activations, sums and products of images and of numbers that are the same all over them."""
    return operators.Pointwise(call.function, call.node, images, results, shape.width)


def read_by(call: Call, images: list[fx.Node]) -> list[fx.Node]:
    """The images whose rows a part reads; a transposed convolution's second argument only gives a size."""
    return images[:1] if isinstance(call.module, ConvTranspose2d) else images


def is_convolution(call: Call) -> bool:
    """Whether its result is dear, so that it is better kept than computed again."""
    return isinstance(call.module, nn.Conv2d | nn.ConvTranspose2d) or call.target in (torch.conv2d, F.conv2d)


def is_kept_instead(call: Call) -> bool:
    """Whether its result is kept in its input's place: it takes no more room, and reads no row twice."""
    layers = (nn.PixelShuffle, nn.PixelUnshuffle, nn.MaxPool2d, nn.AvgPool2d)
    functions = (F.pixel_shuffle, F.pixel_unshuffle, python.getitem)
    is_sum = is_pointwise(call) and call.target not in _CONCATENATIONS
    return is_sum or isinstance(call.module, layers) or call.target in functions


def piece(call: Call, pieces: Sequence[Tensor]) -> Operator:
    """One of the pieces that an image was cut into along channels."""
    _, index = call.node.args
    if not isinstance(index, int):
        raise unknown(call)
    start = sum(one.shape[1] for one in pieces[: index % len(pieces)])
    return operators.Cut(slice(start, start + pieces[index].shape[1]), slice(0, None, 1), slice(None))


def operator(call: Call, before: Shape, after: Shape, results: Results) -> Operator:
    """What computes rows of a part that moves pixels or reads several.

    Raises:
        NotByStripsError: the part is not known, or not with these settings.
    """
    module, target = call.module, call.target
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        return _convolution(call, before, after)
    if target in (torch.conv2d, F.conv2d):
        return _functional_convolution(call, before, after, results)
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        return _pool(call, before, after)
    if isinstance(module, nn.PixelShuffle):
        return operators.Shuffled(module.upscale_factor)
    if isinstance(module, nn.PixelUnshuffle):
        return operators.Unshuffled(module.downscale_factor)
    if target is F.pixel_shuffle:
        return operators.Shuffled(call.arguments("upscale_factor", results=results)["upscale_factor"])
    if target is F.pixel_unshuffle:
        return operators.Unshuffled(call.arguments("downscale_factor", results=results)["downscale_factor"])
    if isinstance(module, nn.Upsample) or target is F.interpolate:
        return _interpolation(call, before, after, results)
    if isinstance(module, tuple(_PADDING_MODULES)) or target is F.pad:
        return _padding(call, before, results)
    if target is python.getitem:
        return _cut(call, before, results)
    raise unknown(call)


def _convolution(call: Call, before: Shape, after: Shape) -> Operator:
    layer: Any = call.module
    size, stride, dilation = _pair(layer.kernel_size), _pair(layer.stride), _pair(layer.dilation)
    is_transposed = isinstance(layer, nn.ConvTranspose2d)
    large = after if is_transposed else before
    if layer.padding_mode != "zeros":
        raise NotByStripsError(f"the network has a convolution that pads with {layer.padding_mode!r}: expected zeros")
    if isinstance(layer, OWN_LAYERS):
        down, across = (
            same_padding(length, (size[axis] - 1) * dilation[axis] + 1, stride[axis])[0]
            for axis, length in enumerate((large.height, large.width))
        )
        padding = down, across
    else:
        padding = _padding_of(layer.padding, size, dilation)
    window = Window(size, stride, dilation, padding, large, before if is_transposed else after)

    def weights() -> tuple[Tensor, Tensor | None]:
        return layer.weight, layer.bias

    kind = operators.Enlarged if is_transposed else operators.Convolved
    return kind(weights, window, layer.groups)


def _functional_convolution(call: Call, before: Shape, after: Shape, results: Results) -> Operator:
    names = ("weight", "bias", "stride", "padding", "dilation", "groups")
    found = call.arguments(*names, results=results)
    size = tuple(found["weight"].shape[2:])
    stride, dilation = _pair(found.get("stride", 1)), _pair(found.get("dilation", 1))
    padding = _padding_of(found.get("padding", 0), size, dilation)

    def weights() -> tuple[Tensor, Tensor | None]:
        now = call.arguments(*names, results=results)
        return now["weight"], now.get("bias")

    return operators.Convolved(weights, Window(size, stride, dilation, padding, before, after), found.get("groups", 1))


def _padding_of(padding: Any, size: tuple[int, int], dilation: tuple[int, int]) -> tuple[int, int]:
    """Zeros above and to the left; an odd one of "same" comes after."""
    if padding == "same":
        down, across = ((one - 1) * apart // 2 for one, apart in zip(size, dilation, strict=True))
        return down, across
    return (0, 0) if padding == "valid" else _pair(padding)


def _pool(call: Call, before: Shape, after: Shape) -> Operator:
    pool: Any = call.module
    size, padding = _pair(pool.kernel_size), _pair(pool.padding)
    if isinstance(pool, nn.AvgPool2d) and (pool.ceil_mode or (any(padding) and not pool.count_include_pad)):
        raise NotByStripsError(f"{call.name} counts fewer pixels at the edges, which does not run strip by strip")
    dilation = _pair(getattr(pool, "dilation", 1))
    return operators.Pooled(pool, Window(size, _pair(pool.stride), dilation, padding, before, after))


def _interpolation(call: Call, before: Shape, after: Shape, results: Results) -> Operator:
    names = ("size", "scale_factor", "mode", "align_corners", "recompute_scale_factor", "antialias")
    if call.module is None:
        settings = call.arguments(*names, results=results)
    else:
        settings = {name: getattr(call.module, name, None) for name in names}
    mode = settings.get("mode", "nearest")
    if mode not in _MODES or settings.get("align_corners") or settings.get("antialias"):
        raise NotByStripsError(
            f"the network resizes with {mode}{', align_corners' if settings.get('align_corners') else ''}"
            f"{', antialias' if settings.get('antialias') else ''}: expected one of {', '.join(_MODES)}"
        )
    factor = settings.get("scale_factor")
    is_by_size = factor is None or settings.get("recompute_scale_factor")
    return operators.Interpolated(before, after, mode, None if is_by_size else _pair(factor))


def _padding(call: Call, before: Shape, results: Results) -> Operator:
    module: Any = call.module
    if module is None:
        settings = call.arguments("pad", "mode", "value", results=results)
    else:
        mode = next(mode for kind, mode in _PADDING_MODULES.items() if isinstance(module, kind))
        settings = {"pad": module.padding, "mode": mode, "value": getattr(module, "value", None)}
    mode, pad = settings.get("mode", "constant"), settings["pad"]
    if mode not in _PADDING_MODES:
        raise NotByStripsError(f"the network pads in mode {mode!r}: expected one of {', '.join(_PADDING_MODES)}")
    if any(pad[4:]):
        raise NotByStripsError("the network pads channels: expected borders around images only")
    return operators.Padded(before, pad[:4], mode, settings.get("value"))


def _cut(call: Call, before: Shape, results: Results) -> Operator:
    (index,) = call.arguments("index", results=results).values()
    all_images, *others = _axes(index)
    sizes = (before.channels, before.height, before.width)
    if all_images != slice(None) or len(others) != 3 or not all(isinstance(part, slice) for part in others):
        raise NotByStripsError(
            "the network picks parts of its features other than [:, first:last, top:bottom, left:right]"
        )
    channels, down, across = (slice(*part.indices(size)) for part, size in zip(others, sizes, strict=True))
    return operators.Cut(channels, down, across)


def _axes(index: Any) -> list[Any]:
    """An index into an image, one part for each of its four axes."""
    parts = list(index) if isinstance(index, tuple) else [index]
    at = next((place for place, part in enumerate(parts) if part is Ellipsis), len(parts))
    return parts[:at] + [slice(None)] * (4 - len(parts) + (at < len(parts))) + parts[at + 1 :]


def _pair(value: Any) -> tuple[Any, Any]:
    if isinstance(value, Sequence):
        first, *others = value
        return first, others[0] if others else first
    return value, value
