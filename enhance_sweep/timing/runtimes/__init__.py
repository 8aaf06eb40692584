"""Runtimes for networks: one file and one `conf/runtime/*.yaml` each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor, nn

from enhance_sweep import lowering


@dataclass(frozen=True)
class Prepared:
    """A network that is ready to be timed on one photograph.

    Attributes:
        run: the timed call: from the photograph, in the runtime's form, to a result in the runtime's form.
        to_tensor: turns a result into fp32 (1, 3, H, W); not timed.
        preparing_ms: time of one-off preparations, by name (`export_ms`, `compile_ms`).
    """

    run: Callable[[], Any]
    to_tensor: Callable[[Any], Tensor]
    preparing_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass
class LayerTime:
    """What one layer of a network took.

    Attributes:
        name: in eager, as `enhance_sweep.models.description` names it; elsewhere the runtime's.
        kind: what computes it: a module's class, an operation, a kernel.
        ms: a value for each call.
    """

    name: str
    kind: str
    ms: list[float] = field(default_factory=list)


class Runtime(Protocol):
    """What a runtime does. Its settings, if any, are its constructor's arguments and stand in its YAML.

    Its attribute `form` is the one of `enhance_sweep.lowering.lowered` that suits it; without one it gets `any`.
    Where it can tell what each layer takes, it has a method `layers`, with the arguments of `prepare` and the number of
    `calls`, that returns a list of `LayerTime` in the order in which they run.
    """

    def prepare(self, generator: nn.Module, photograph: Tensor, precision: str, layout: str, threads: int) -> Prepared:
        """Make `generator` ready for `photograph`.

        Args:
            generator: in evaluation mode, fp32; the runtime may keep and change it.
            photograph: fp32 (1, 3, H, W) in [0, 1].
            precision: fp32 or bf16.
            layout: channels_last or channels_first.
            threads: how many it may use.

        Raises:
            ValueError: the runtime does not support this precision or layout; says which it does.
        """
        ...


def lowered_for(runtime: object, network: nn.Module, layout: str) -> nn.Module:
    """A network in the form that is fastest in a runtime and layout (`enhance_sweep.lowering`)."""
    form: lowering.Runtime = getattr(runtime, "form", "any")
    return lowering.lowered(network, "any" if form == "eager" and layout != "channels_last" else form)
