"""A network's layers, parameters and multiply-adds, for its record; found without computing anything."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

#: Operations outside of layers that are an entry of their own, with the class of torch's that does the same. Others,
#: such as sums, products and crops, are not: where features of several origins meet they are joins.
_KINDS = {
    "mm": "Linear",
    "addmm": "Linear",
    "bmm": "MatMul",
    "baddbmm": "MatMul",
    "pixel_shuffle": "PixelShuffle",
    "pixel_unshuffle": "PixelUnshuffle",
    "upsample_nearest2d": "UpsamplingNearest2d",
    "_upsample_nearest_exact2d": "UpsamplingNearest2d",
    "upsample_bilinear2d": "UpsamplingBilinear2d",
    "_upsample_bilinear2d_aa": "UpsamplingBilinear2d",
    "upsample_bicubic2d": "UpsamplingBicubic2d",
    "_upsample_bicubic2d_aa": "UpsamplingBicubic2d",
    "grid_sampler_2d": "GridSample",
    "max_pool2d_with_indices": "MaxPool2d",
    "avg_pool2d": "AvgPool2d",
    "_adaptive_avg_pool2d": "AdaptiveAvgPool2d",
    "adaptive_max_pool2d": "AdaptiveMaxPool2d",
    "native_group_norm": "GroupNorm",
    "native_layer_norm": "LayerNorm",
    "native_batch_norm": "BatchNorm2d",
    "_native_batch_norm_legit_no_training": "BatchNorm2d",
    "relu": "ReLU",
    "leaky_relu": "LeakyReLU",
    "prelu": "PReLU",
    "_prelu_kernel": "PReLU",
    "elu": "ELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "sigmoid": "Sigmoid",
    "softplus": "Softplus",
    "hardsigmoid": "Hardsigmoid",
    "hardswish": "Hardswish",
}
#: Entries, too, where they make fewer numbers of many: statistics.
_STATISTICS = {
    "mean": "Mean",
    "sum": "Sum",
    "amax": "Max",
    "amin": "Min",
    "var": "Var",
    "std": "Std",
    "var_mean": "VarMean",
    "std_mean": "StdMean",
}
#: Joins that go by the names of what they are made of.
_JOINS = {"addcmul": "mul+add", "addcdiv": "div+add", "rsub": "sub", "lerp": "sub+mul+add"}
#: A module of torch's that is one layer, although it multiplies and adds.
_MULTIPLYING = (nn.modules.conv._ConvNd, nn.Linear)


def describe(generator: nn.Module, height: int = 720, width: int = 1280) -> dict[str, Any]:
    """Count what one photograph of `height` x `width` costs, on torch's meta device: shapes only, no arithmetic.

    Returns:
        `parameters`: all learned numbers. `macs`: multiply-adds of all convolutions and matrix products, of modules and
        of functions (norms and activations do not count, as usual). `layers`: in the order in which they run, as
        `enhance_sweep.records.schema.Layer` has them. A layer is a module without children; or an operation outside of
        these that computes much or moves much memory: a convolution, matrix product, pixel shuffle, interpolation,
        pooling, norm, activation, or statistic. Such a one is named after its module and operation,
        `blocks.0#convolution`. `input` is the name of the layer or join that it reads (left out where unknown). A
        layer that runs again is `name#2`, without parameters. `joins`: where features from several origins meet outside
        any layer, in order, as `enhance_sweep.records.schema.Join` has them. The photograph's name is None.
    """
    on_meta = copy.deepcopy(generator).to("meta").eval()
    photograph = torch.empty(1, 3, height, width, device="meta")
    trace = _Trace(photograph)
    for name, module in on_meta.named_modules():
        trace.watch(name, module)
    with torch.no_grad(), trace:
        on_meta(photograph)
    return {
        "height": height,
        "width": width,
        "parameters": sum(parameter.numel() for parameter in on_meta.parameters()),
        "macs": sum(layer["macs"] for layer in trace.layers),
        "layers": trace.counted_layers(),
        "joins": _merged(trace.joins, trace.layers),
    }


@dataclass
class _Call:
    """A module that runs.

    Attributes:
        name: of the module.
        is_leaf: whether it has no children.
        layers, joins: how many there were before.
        outer: the origins that its operations read and that are not within it, in order.
    """

    name: str
    is_leaf: bool
    layers: int
    joins: int
    outer: dict[str | None, None] = field(default_factory=dict)


class _Trace(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own lacks a signature
    """Records the layers that run, and where features of several of them meet.

    A tensor's origin is the layer that it comes from. Operations outside layers (a crop, tanh) keep the origin. An
    operation on tensors of two origins is a join, which is an origin itself.

    What happens in a module without children is followed like everything else. Once it has run, it becomes one layer
    if that tells the same: it reads one origin, and multiplies and adds in one operation at most.
    """

    def __init__(self, photograph: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.layers: list[dict[str, Any]] = []
        self.joins: list[dict[str, Any]] = []
        # Of each layer; counted at the end, since a layer may run twice.
        self._parameters: list[list[nn.Parameter]] = []
        # Each tensor is kept with its origin: its id is unique only while it lives.
        self._origins: dict[int, tuple[Tensor, str | None]] = {id(photograph): (photograph, None)}
        self._calls: list[_Call] = []

    def watch(self, name: str, module: nn.Module) -> None:
        """Follow a module of the network."""
        is_leaf = not list(module.children())

        def before(module: nn.Module, inputs: Any, named: Any) -> None:
            self._calls.append(_Call(name, is_leaf, len(self.layers), len(self.joins)))

        def after(module: nn.Module, inputs: Any, named: Any, output: Any) -> None:
            call = self._calls.pop()
            read, written = _tensors([*inputs, *named.values()]), _tensors([output])
            if is_leaf and read and written and self._is_one_layer(call, module):
                self._make_one_layer(call, module, read[0], written)

        module.register_forward_pre_hook(before, with_kwargs=True)
        module.register_forward_hook(after, with_kwargs=True)

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run the operation, and note the origins of its inputs."""
        output = func(*args, **(kwargs or {}))
        read, written = _tensors([*args, *(kwargs or {}).values()]), _tensors([output])
        operation, origins = func.overloadpacket.__name__.rstrip("_"), self._origins_of(read)
        self._note_outer(origins)
        count_flops = flop_registry.get(func.overloadpacket)
        macs = int(count_flops(*args, **(kwargs or {}), out_val=output)) // 2 if count_flops else 0
        kind = _kind_of(operation, args, read, written, bool(count_flops))
        if kind and (origins or macs):
            origin = origins[0] if len(origins) == 1 else self._join(operation, origins, 0) if origins else None
            name = self._unused(f"{self._module()}#{operation}")
            entry = _entry(name, kind, read[0], written[0], **_convolution(operation, args), macs=macs)
            self.layers.append(entry | ({"input": origin} if origins else {}))
            self._parameters.append([one for one in read if isinstance(one, nn.Parameter)])
            self._set(written, name)
        elif origins:
            values = sum(tensor.numel() for tensor in (*read, *written))
            self._set(written, origins[0] if len(origins) == 1 else self._join(operation, origins, values))
        return output

    def counted_layers(self) -> list[dict[str, Any]]:
        """The layers with their parameters; what several share counts once, where it is first used."""
        seen: set[int] = set()
        for layer, parameters in zip(self.layers, self._parameters, strict=True):
            layer["parameters"] = sum(one.numel() for one in parameters if id(one) not in seen)
            seen |= {id(one) for one in parameters}
        return self.layers

    def _is_one_layer(self, call: _Call, module: nn.Module) -> bool:
        multiplying = sum(bool(layer["macs"]) for layer in self.layers[call.layers :])
        return len(call.outer) <= 1 and multiplying <= isinstance(module, _MULTIPLYING)

    def _make_one_layer(self, call: _Call, module: nn.Module, read: Tensor, written: Sequence[Tensor]) -> None:
        """Put one entry in place of what a module without children did."""
        within = self.layers[call.layers :]
        for found in (self.layers, self._parameters):
            del found[call.layers :]
        del self.joins[call.joins :]
        origins = [*call.outer] or self._origins_of([read])
        counted = next((layer for layer in within if layer["macs"]), None)
        taken = counted or {"kernel_size": _pair(module, "kernel_size")[0], "stride": max(_pair(module, "stride"))}
        keys = ("kernel_size", "kernel_width", "stride", "dilation", "groups", "macs")
        settings = {name: taken[name] for name in keys if name in taken}
        if counted is None and len(set(_pair(module, "kernel_size"))) > 1:
            settings["kernel_width"] = _pair(module, "kernel_size")[1]
        step = getattr(module, "step", 1)
        settings |= {"step": step} if isinstance(step, int) and step > 1 else {}
        name = self._unused(call.name)
        entry = _entry(name, type(module).__name__, read, written[0], **settings)
        self.layers.append(entry | ({"input": origins[0]} if origins else {}))
        self._parameters.append(list(module.parameters()))
        self._set(written, name)

    def _join(self, operation: str, origins: list[str | None], values: int) -> str:
        """Record a join. Its name is that of its module with a `#`, which no layer's module has: `blocks.0#add`."""
        name = self._unused(f"{self._module()}#{operation}")
        kind = _JOINS.get(operation, operation)
        self.joins.append({"name": name, "kind": kind, "inputs": origins, "after": len(self.layers), "values": values})
        return name

    def _module(self) -> str:
        return self._calls[-1].name if self._calls else ""

    def _unused(self, name: str) -> str:
        """The name itself, or the next one with a number: `head.0#2`, `#add2`."""
        used = {entry["name"] for entry in (*self.layers, *self.joins)}
        number, separator = 1, "" if "#" in name else "#"
        while (tried := name if number == 1 else f"{name}{separator}{number}") in used:
            number += 1
        return tried

    def _note_outer(self, origins: Iterable[str | None]) -> None:
        if self._calls and self._calls[-1].is_leaf:
            call = self._calls[-1]
            within = {entry["name"] for entry in (*self.layers[call.layers :], *self.joins[call.joins :])}
            call.outer |= dict.fromkeys(origin for origin in origins if origin not in within)

    def _set(self, tensors: Iterable[Tensor], origin: str | None) -> None:
        self._origins.update((id(tensor), (tensor, origin)) for tensor in tensors)

    def _origins_of(self, tensors: Iterable[Tensor]) -> list[str | None]:
        known = [self._origins[id(tensor)][1] for tensor in tensors if id(tensor) in self._origins]
        return list(dict.fromkeys(known))


# --- entries ----------------------------------------------------------------------------------------------------------


def _tensors(values: Iterable[Any]) -> list[Tensor]:
    """The tensors among an operation's arguments or results, one list deep (as of `torch.cat`)."""
    flat = [item for value in values for item in (value if isinstance(value, list | tuple) else [value])]
    return [item for item in flat if isinstance(item, Tensor)]


def _kind_of(
    operation: str, args: Sequence[Any], read: Sequence[Tensor], written: Sequence[Tensor], multiplies: bool
) -> str | None:
    """The class of torch's that does the same as an operation; None where it is no entry of its own."""
    if not read or not written:
        return None
    if operation in _STATISTICS:
        return _STATISTICS[operation] if written[0].numel() < read[0].numel() else None
    if "convolution" in operation and multiplies:
        transposed = "Transpose" if len(args) > 6 and args[6] else ""
        return f"Conv{transposed}{read[1].dim() - 2}d"
    return _KINDS.get(operation, operation.strip("_").title().replace("_", "") if multiplies else None)


def _convolution(operation: str, args: Sequence[Any]) -> dict[str, Any]:
    """Kernel, stride, dilation and groups of `aten::convolution`; nothing of another operation."""
    if operation != "convolution":
        return {}
    _, weight, _, stride, _, dilation, _, _, groups = args[:9]
    kernel = list(weight.shape[2:])
    return {
        "kernel_size": kernel[0],
        **({"kernel_width": kernel[-1]} if kernel[-1] != kernel[0] else {}),
        "stride": max(stride),
        **({"dilation": max(dilation)} if max(dilation) > 1 else {}),
        **({"groups": groups} if groups > 1 else {}),
    }


def _entry(name: str, kind: str, read: Tensor, written: Tensor, macs: int = 0, **settings: Any) -> dict[str, Any]:
    """A layer's entry in a record, but for its parameters."""
    is_last = kind in ("Linear", "LayerNorm")
    (inputs, *before), (outputs, height, width) = _shape(read, is_last), _shape(written, is_last)
    stride = settings.get("stride", 1)
    # The input's size, where it is not what output and stride tell.
    implied = [-(-size // stride) for size in ((height, width) if "Transpose" in kind else before)]
    told = implied == (before if "Transpose" in kind else [height, width])
    return {
        "name": name,
        "kind": kind,
        "in_channels": inputs,
        "out_channels": outputs,
        "kernel_size": 1,
        "stride": 1,
        "height": height,
        "width": width,
        "parameters": 0,
        "macs": macs,
        **settings,
        **({} if told else {"in_height": before[0], "in_width": before[1]}),
    }


def _shape(tensor: Tensor, channels_last: bool) -> tuple[int, int, int]:
    """Channels, height and width of a tensor, without its batch; sides that it lacks are 1."""
    shape = list(tensor.shape[1:])
    if channels_last and shape:
        shape = [shape[-1], *shape[:-1]]
    if len(shape) > 3:
        shape = [*shape[:2], int(torch.Size(shape[2:]).numel())]
    channels, *sides = shape or [1]
    height, width = [*[1] * (2 - len(sides)), *sides]
    return channels, height, width


def _pair(module: nn.Module, name: str) -> tuple[int, int]:
    """A module's kernel size or stride as height and width, however it is written; 1 where it has none."""
    value = getattr(module, name, None) or 1
    sides = [side for side in (value if isinstance(value, list | tuple) else [value]) if isinstance(side, int)] or [1]
    return sides[0], sides[-1]


# --- joins ------------------------------------------------------------------------------------------------------------


def _merged(joins: Sequence[dict[str, Any]], layers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Make one join of those that follow each other in a module and read no more than two origins between them.

    A color matrix for each pixel is many products and sums of the photograph and one layer's output.
    """
    readers: dict[str | None, int] = {}
    for origin in (*(layer.get("input") for layer in layers), *(one for join in joins for one in join["inputs"])):
        readers[origin] = readers.get(origin, 0) + 1
    merged: dict[str, dict[str, Any]] = {}
    for join in joins:
        parts = [merged[name] for name in join["inputs"] if name in merged and readers[name] == 1]
        parts = [part for part in parts if _place(part) == _place(join)]
        names = {part["name"] for part in parts}
        inputs = [*(one for part in parts for one in part["inputs"]), *(n for n in join["inputs"] if n not in names)]
        inputs = list(dict.fromkeys(inputs))
        if parts and len(inputs) <= 2:
            for part in parts:
                del merged[part["name"]]
            kinds = dict.fromkeys(kind for one in (*parts, join) for kind in one["kind"].split("+"))
            count = 1 + sum(part.get("operations", 1) for part in parts)
            values = join["values"] + sum(part["values"] for part in parts)
            join = join | {"kind": "+".join(kinds), "inputs": inputs, "operations": count, "values": values}
        merged[join["name"]] = join
    return list(merged.values())


def _place(join: Mapping[str, Any]) -> tuple[str, int]:
    """A join's module, and how many layers have run before it."""
    return join["name"].partition("#")[0], join["after"]
