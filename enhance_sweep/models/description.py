"""A network's layers, parameters and multiply-adds, for its record; found without computing anything."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode


def describe(generator: nn.Module, height: int = 720, width: int = 1280) -> dict[str, Any]:
    """Count what one photograph of `height` x `width` costs, on torch's meta device: shapes only, no arithmetic.

    Returns:
        `parameters`: all learned numbers. `macs`: multiply-adds of all convolutions and linear layers (norms and
        activations do not count, as usual). `layers`: in the order in which they run, each with its `name`,
        `kind`, `in_channels`, `out_channels`, `kernel_size`, `stride`, output `height` and `width`, `parameters`,
        `macs`, and `input`, the name of the layer or join that it reads (left out where unknown). `joins`: where
        features from several origins meet outside any layer, in order, each with its `name`, `kind` (torch's name of
        the operation: `add` for residual sums and skip connections, `cat`, `mul`), `inputs`, the names of the origins,
        and `after`, how many layers have run before it. The photograph's name is None.
    """
    on_meta = copy.deepcopy(generator).to("meta")
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
        "layers": trace.layers,
        "joins": trace.joins,
    }


class _Trace(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own lacks a signature
    """Records the layers that run, and where features of several of them meet.

    A tensor's origin is the layer that it comes from. Operations outside layers (a crop, tanh) keep the origin. An
    operation on tensors of two origins is a join, which is an origin itself.
    """

    def __init__(self, photograph: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.layers: list[dict[str, Any]] = []
        self.joins: list[dict[str, Any]] = []
        # Each tensor is kept with its origin: its id is unique only while it lives.
        self._origins: dict[int, tuple[Tensor, str | None]] = {id(photograph): (photograph, None)}
        self._running: list[str] = []
        self._is_in_layer = False

    def watch(self, name: str, module: nn.Module) -> None:
        """Follow a module of the network; a module without children is a layer."""
        is_layer = not list(module.children())

        def before(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            self._running.append(name)
            self._is_in_layer = is_layer

        def after(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            self._running.pop()
            self._is_in_layer = False
            if is_layer:
                # Only the first argument: a transposed convolution's second just gives the output's size.
                origins = self._origins_of(inputs[:1])
                read = {"input": origins[0]} if origins else {}
                self.layers.append(_line(name, module, inputs[0], output) | read)
                self._origins[id(output)] = (output, name)

        module.register_forward_pre_hook(before)
        module.register_forward_hook(after)

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run the operation, and note the origins of its inputs."""
        output = func(*args, **(kwargs or {}))
        if not self._is_in_layer:
            origins = self._origins_of(_tensors(args))
            if origins:
                origin = origins[0] if len(origins) == 1 else self._join(func.overloadpacket.__name__, origins)
                self._origins.update((id(tensor), (tensor, origin)) for tensor in _tensors([output]))
        return output

    def _join(self, operation: str, origins: list[str | None]) -> str:
        """Record a join. Its name is that of its module with a `#`, which no layer has: `blocks.0#add`."""
        kind = operation.rstrip("_")  # in place or not
        name = f"{self._running[-1]}#{kind}"
        earlier = sum(join["name"].rstrip("0123456789") == name for join in self.joins)
        name += str(earlier + 1) if earlier else ""
        self.joins.append({"name": name, "kind": kind, "inputs": origins, "after": len(self.layers)})
        return name

    def _origins_of(self, tensors: Iterable[Tensor]) -> list[str | None]:
        known = [self._origins[id(tensor)][1] for tensor in tensors if id(tensor) in self._origins]
        return list(dict.fromkeys(known))


def _tensors(values: Iterable[Any]) -> list[Tensor]:
    """The tensors among an operation's arguments or results, one list deep (as of `torch.cat`)."""
    flat = [item for value in values for item in (value if isinstance(value, list | tuple) else [value])]
    return [item for item in flat if isinstance(item, Tensor)]


def _line(name: str, module: nn.Module, input: Tensor, output: Tensor) -> dict[str, Any]:
    """A layer's entry in a record."""
    return {
        "name": name,
        "kind": type(module).__name__,
        "in_channels": input.shape[1],
        "out_channels": output.shape[1],
        "kernel_size": getattr(module, "kernel_size", (1,))[0],
        "stride": getattr(module, "stride", (1,))[0],
        "height": output.shape[-2],
        "width": output.shape[-1],
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "macs": _macs(module, input, output),
    }


def _macs(module: nn.Module, input: Tensor, output: Tensor) -> int:
    """A convolution uses each weight once per output pixel, a transposed one once per input pixel."""
    if isinstance(module, nn.ConvTranspose2d):
        return module.weight.numel() * input.shape[-2] * input.shape[-1]
    if isinstance(module, nn.Conv2d):
        return module.weight.numel() * output.shape[-2] * output.shape[-1]
    return 0
