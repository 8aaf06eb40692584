"""Plain torch: one operation after the other."""

import time
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from enhance_sweep.timing.runtimes import LayerTime, Prepared

#: Calls before those that are profiled.
_WARM_UP = 2
#: Functions that compute nothing: views, and what asks for a shape.
_FREE = ("get", "getitem", "view", "permute", "reshape", "chunk", "expand", "flatten", "unflatten", "size", "to")


class Eager:
    """torch's eager mode. bf16 means weights and activations in bf16."""

    form = "eager"

    def prepare(self, generator: nn.Module, photograph: Tensor, precision: str, layout: str, threads: int) -> Prepared:
        """See `Runtime.prepare`."""
        network, input = place(generator, photograph, precision, layout)

        def run() -> Tensor:
            with torch.inference_mode():
                return network(input)  # type: ignore[no-any-return]

        return Prepared(run, lambda result: result.float().contiguous())

    def layers(
        self, generator: nn.Module, photograph: Tensor, precision: str, layout: str, threads: int, calls: int
    ) -> list[LayerTime]:
        """See `Runtime`. Modules without children, and what other modules compute by functions."""
        network, input = place(generator, photograph, precision, layout)
        with torch.inference_mode():
            for _ in range(_WARM_UP):
                network(input)
            with _Clock(network) as clock:
                for call in range(calls):
                    clock.call = call
                    network(input)
        return list(clock.times.values())


class _Clock(TorchFunctionMode):
    """Times each module without children, and each function outside of these; what repeats in a call is one layer."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.times: dict[str, LayerTime] = {}
        self.call = 0
        self._modules: list[tuple[str, str]] = []
        self._leaf: str | None = None
        self._start_ns = 0
        for name, module in network.named_modules():
            self._watch(name, module)

    def _watch(self, name: str, module: nn.Module) -> None:
        is_leaf = not list(module.children())

        def before(module: nn.Module, inputs: Any) -> None:
            if is_leaf and self._leaf is None:
                self._leaf, self._start_ns = name, time.perf_counter_ns()
            self._modules.append((name, type(module).__name__))

        def after(module: nn.Module, inputs: Any, output: Any) -> None:
            self._modules.pop()
            if self._leaf == name:
                ended_ns, self._leaf = time.perf_counter_ns(), None
                self._add(name, type(module).__name__, ended_ns - self._start_ns)

        module.register_forward_pre_hook(before)
        module.register_forward_hook(after)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run a function, and time it unless it is a module's own."""
        if self._leaf is not None:
            return func(*args, **(kwargs or {}))
        start_ns = time.perf_counter_ns()
        result = func(*args, **(kwargs or {}))
        took_ns = time.perf_counter_ns() - start_ns
        operation = getattr(func, "__name__", "function").strip("_")
        if isinstance(result, Tensor) and operation not in _FREE:
            module, kind = self._modules[-1]
            self._add(f"{module}#{operation}", f"{kind}: {operation}", took_ns)
        return result

    def _add(self, name: str, kind: str, took_ns: int) -> None:
        ms = self.times.setdefault(name, LayerTime(name, kind)).ms
        ms += [0.0] * (self.call + 1 - len(ms))
        ms[self.call] += took_ns / 1e6


def place(network: nn.Module, photograph: Tensor, precision: str, layout: str) -> tuple[nn.Module, Tensor]:
    """A network and its photograph in torch's dtype and memory format for `precision` and `layout`."""
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    memory_format = {"channels_last": torch.channels_last, "channels_first": torch.contiguous_format}[layout]
    # `to` accepts a memory format alone, but its type overloads do not.
    network = network.to(dtype).to(memory_format=memory_format)  # type: ignore[call-overload]
    return network, photograph.to(dtype).contiguous(memory_format=memory_format)
