"""Profile one photograph through a network, layer by layer, in a process of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from msgspec import convert

from enhance_sweep.models.description import describe
from enhance_sweep.records.keys import architecture_of, architecture_slug
from enhance_sweep.records.schema import Description
from enhance_sweep.settings import TimingSettings
from enhance_sweep.stats.roof import layer_roof_ms, roof_of
from enhance_sweep.system.environment import cpu_model
from enhance_sweep.timing.photograph import photograph
from enhance_sweep.timing.runtimes import LayerTime, lowered_for
from enhance_sweep.timing.worker import build, spread

#: What a layer does, by a part of its kind's name; the first that fits.
_GROUPS = {
    "norm": ("norm", "mvn", "var", "mean", "reduce"),
    "activation": ("relu", "tanh", "sigmoid", "activation"),
    "moves pixels": (
        *("shuffle", "interpolat", "upsampl", "pad", "cat", "reshape", "transpos", "reorder", "slice", "depth"),
        *("permute", "resize", "space", "split"),
    ),
    "convolution": ("conv", "linear", "gemm", "matmul"),
}
_CONVOLUTION, OTHER = "convolution", "other"


@dataclass(frozen=True)
class Layer:
    """A layer's part in one call.

    Attributes:
        name, kind: as the runtime has them.
        group: convolution, norm, activation, moves pixels, other.
        ms: the median over calls.
        roof_ms: the least that its arithmetic or its traffic could take; None where that is not known.
    """

    name: str
    kind: str
    group: str
    ms: float
    roof_ms: float | None


@dataclass(frozen=True)
class InferenceProfile:
    """Where the time of a network goes at inference.

    Attributes:
        network: its slug; `lowered` is told apart.
        runtime, precision, size, threads, machine: where and how it ran.
        layers: in the order in which they ran.
        roof_ms: of the network as written.
        rates: of the machine (`enhance_sweep.timing.worker.limit`).
    """

    network: str
    runtime: str
    lowered: bool
    precision: str
    size: tuple[int, int]
    threads: int
    machine: str
    layers: list[Layer]
    roof_ms: float | None
    rates: Mapping[str, float] = field(default_factory=dict)

    @property
    def ms(self) -> float:
        """The sum of the layers' medians."""
        return sum(layer.ms for layer in self.layers)

    def by_group(self) -> dict[str, float]:
        """ms of each group that there is, the largest first."""
        sums: dict[str, float] = {}
        for layer in self.layers:
            sums[layer.group] = sums.get(layer.group, 0.0) + layer.ms
        return dict(sorted(sums.items(), key=lambda item: -item[1]))


def profile_inference(
    model: Mapping[str, Any],
    runtime: Mapping[str, Any],
    timing: TimingSettings,
    calls: int,
    rates: Mapping[str, float],
) -> InferenceProfile:
    """Run a network on a photograph a few times, and note what each layer takes.

    Call it in a process that does nothing else, under the allocator that timings use. Layers that a runtime fuses are
    one; in eager mode what a module does with functions is told apart, too.

    Args:
        model: its configuration.
        runtime: its configuration, with `lowered`.
        timing: size, threads, precision and layout.
        calls: how many are profiled.
        rates: of the machine (`enhance_sweep.timing.worker.limit`).

    Raises:
        ValueError: the runtime cannot tell, or does not have this precision.
        ModuleNotFoundError: the runtime is not installed.
    """
    made = build(dict(runtime))
    if not hasattr(made, "layers"):
        raise ValueError(
            f"--runtime {runtime['name']}: it compiles a network as a whole and cannot tell what each layer takes: "
            "choose eager, onnxruntime or openvino"
        )
    torch.manual_seed(timing.seed)
    torch.set_num_threads(timing.used_threads)
    generator = build(dict(model)).eval()
    description = convert(describe(generator), Description)
    spread(generator)
    is_lowered = bool(runtime.get("lowered"))
    if is_lowered:
        generator = lowered_for(made, generator, timing.layout)
    pixels = photograph(timing.width, timing.height, timing.photograph)
    input = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float().contiguous() / 255
    roofs = _roofs(generator, rates, timing)
    times = made.layers(generator, input, timing.precision, timing.layout, timing.used_threads, calls)
    size = (timing.width, timing.height)
    roof = roof_of(description, size, timing.precision, rates)
    return InferenceProfile(
        network=architecture_slug(architecture_of(model)),
        runtime=runtime["name"],
        lowered=is_lowered,
        precision=timing.precision,
        size=size,
        threads=timing.used_threads,
        machine=cpu_model(),
        layers=[_layer(one, roofs) for one in times],
        roof_ms=roof.ms if roof else None,
        rates=rates,
    )


def _layer(time: LayerTime, roofs: Mapping[str, float]) -> Layer:
    module, _, operation = time.name.partition("#")
    # A module that is one layer here may be several operations in the description, and a function has another name.
    below = (f"{module}#", f"{module}.") if operation else f"{module}#"
    within = [ms for name, ms in roofs.items() if name == module or name.startswith(below)]
    convolves = bool(within) and (not operation or "conv" in operation)
    group = _CONVOLUTION if convolves else group_of(time.kind)
    return Layer(time.name, time.kind, group, float(np.median(time.ms)), sum(within) if convolves else None)


def group_of(kind: str) -> str:
    """What a layer of this kind does."""
    low = kind.lower()
    if "conv" in low:
        return _CONVOLUTION
    return next((group for group, parts in _GROUPS.items() if any(part in low for part in parts)), OTHER)


def _roofs(network: torch.nn.Module, rates: Mapping[str, float], timing: TimingSettings) -> dict[str, float]:
    """The roofs of convolutions and matrix products, by the names that eager mode gives its layers."""
    described = convert(describe(network, timing.height, timing.width), Description)
    gflops, copy = rates[f"{timing.precision}_gflops"], rates["copy_gb_per_s"]
    return {
        layer.name: max(layer_roof_ms(layer, gflops, copy, timing.precision))
        for layer in described.layers
        if layer.macs
    }
