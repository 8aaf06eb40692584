"""A record's description of a network, as nodes to draw.

Records may come from anywhere: a number that makes no sense is replaced, so that any network can be drawn.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from msgspec import UNSET

from enhance_sweep.records.schema import Layer, TimedRecord, TrainedRecord
from enhance_sweep.report.architecture.folding import shortened
from enhance_sweep.report.architecture.network import PHOTOGRAPH, Network, Node
from enhance_sweep.report.labels import TIMES, network_label

#: Further bands are not drawn beside the same convolution.
_MOST_BANDS = 4
#: Larger numbers in a record are not believed: as sides, kernel sizes or channels, and as counts.
_LARGEST_SIZE, _LARGEST_COUNT = 10**5, 10**15
_ACTIVATIONS = {"Sigmoid", "Tanh", "Softmax", "Softmax2d", "Softplus", "Softsign", "Hardtanh", "Hardswish"}
_ACTIVATIONS |= {"Hardsigmoid", "Mish", "Threshold", "LogSigmoid", "Tanhshrink", "Softshrink", "Hardshrink"}
#: Kinds in the words that people have for them.
_WORDS = {
    "PixelShuffle": "shuffle",
    "PixelUnshuffle": "unshuffle",
    "UpsamplingBilinear2d": "bilinear",
    "UpsamplingNearest2d": "nearest",
    "UpsamplingBicubic2d": "bicubic",
    "MaxPool2d": "max pool",
    "AvgPool2d": "mean pool",
    "AdaptiveAvgPool2d": "mean pool",
    "Mean": "mean",
    "ChannelMoments": "moments",
}
#: Layers that do nothing in inference. A `Sequential` among the layers is an empty one.
_NOT_DRAWN = {"Identity", "Dropout", "Dropout2d", "AlphaDropout", "Sequential"}


@dataclass(frozen=True)
class _Step:
    """A layer that runs, or a join: features that meet outside of any layer.

    Attributes:
        kind: a layer's class, or a join's operation.
        inputs: names of the steps that it reads, with None for the photograph; None alone if the record does not say,
            and it reads the step before.
        role: `box`, `norm`, `activation`, `other`, or `join`.
        node: as it is drawn with a box of its own; a join takes the shape of what it reads.
    """

    name: str
    kind: str
    inputs: tuple[str | None, ...] | None
    role: str
    node: Node


def network_of(record: TrainedRecord | TimedRecord) -> Network | None:
    """The network that a record describes; None where it describes no layers."""
    description = record.description
    size = (_size(description.height, 720), _size(description.width, 1280))
    layers = _layers(description.layers, size)
    # Each join with the number of layers that run before it.
    joins = [(join.after, _join(join.name, _line(join.kind, 24), join.inputs)) for join in description.joins]
    joins = joins or _inferred_joins(record.architecture, layers)
    places = [(index + 0.5, layer) for index, layer in enumerate(layers)]
    steps = [step for _, step in sorted([*joins, *places], key=lambda placed: placed[0])]
    channels = _size(description.layers[0].in_channels, 3) if description.layers else 3
    nodes = _nodes(steps, Node("photograph", "input", channels, size, ()))
    if not nodes:
        return None
    nodes, folds = shortened(nodes)
    counted = sum(layer.node.macs for layer in layers)
    return Network(
        nodes=tuple(nodes),
        folds=tuple(folds),
        name=_name(record.architecture),
        parameters=_count(description.parameters) or None,
        macs=max(_count(description.macs), counted),
        size=size,
        channels=channels,
    )


# --- what the record says ---------------------------------------------------------------------------------------------


def _size(value: int, otherwise: int) -> int:
    return value if 0 < value < _LARGEST_SIZE else otherwise


def _count(value: int) -> int:
    return value if 0 < value < _LARGEST_COUNT else 0


def _name(architecture: Mapping[str, Any]) -> str:
    topology = architecture["topology"]
    label = network_label(architecture).removesuffix(" {}")
    return _line(label if label.startswith(topology) else f"{topology} {label}", 200)


def _line(text: str, longest: int = 120) -> str:
    """Shorten a name from a record to one line of reasonable length."""
    line = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * longest]).strip()
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def _layers(layers: Sequence[Layer], size: tuple[int, int]) -> list[_Step]:
    steps: list[_Step] = []
    channels = 3
    for layer in layers:
        kind = _line(layer.kind, 24)
        outputs, macs = _size(layer.out_channels, channels), _count(layer.macs)
        after = (_size(layer.height, size[0]), _size(layer.width, size[1]))
        before = _size_read(layer, after)
        role = _role(kind, changes=bool(macs) or _size(layer.in_channels, outputs) != outputs or before != after)
        resizes = role == "box" and not macs and before != after and not _is_convolution(kind)
        label = _label(layer, kind, is_larger=after > before)
        steps.append(
            _Step(
                name=layer.name,
                kind=kind,
                inputs=None if layer.input is UNSET else (layer.input,),
                node=Node("resize" if resizes else "layer", label, outputs, after, (), macs=macs, size_in=before),
                role=role,
            )
        )
        size, channels = after, outputs
    return steps


def _size_read(layer: Layer, after: tuple[int, int]) -> tuple[int, int]:
    """Height and width of what a layer reads; where the record does not say, its output's times the stride."""
    height, width = _size(layer.in_height, 0), _size(layer.in_width, 0)
    if height and width:
        return height, width
    stride = _size(layer.stride, 1)
    if "transpose" in layer.kind.lower():
        return -(-after[0] // stride), -(-after[1] // stride)
    return _size(after[0] * stride, after[0]), _size(after[1] * stride, after[1])


def _is_convolution(kind: str) -> bool:
    return "conv" in kind.lower()


def _label(layer: Layer, kind: str, is_larger: bool) -> str:
    """`9×9`, `4×4 / 2` at stride 2, `4×4 / ½` transposed, `1×7 d2` dilated, `3×3 dw` depthwise, `3×3 g4` in groups.

    Other layers are labelled by their kind, in the words that people have for it.
    """
    if not _is_convolution(kind):
        return _WORDS.get(kind, kind)
    height, stride = _size(layer.kernel_size, 1), _size(layer.stride, 1)
    label = f"{height}{TIMES}{_size(layer.kernel_width, height)}"
    groups, dilation = _size(layer.groups, 1), _size(layer.dilation, 1)
    if groups > 1:
        label += " dw" if groups == layer.in_channels else f" g{groups}"
    if dilation > 1:
        label += f" d{dilation}"
    if stride == 1:
        return label
    if "transpose" in kind.lower() or is_larger:
        return f"{label} / " + ("½" if stride == 2 else f"(1/{stride})")
    return f"{label} / {stride}"


def _role(kind: str, changes: bool) -> str:
    """What a layer is drawn as; an unknown one is a box if it computes something or `changes` the output's shape."""
    if _is_convolution(kind) or kind == "Linear":
        return "box"
    if "norm" in kind.lower():
        return "norm"
    if kind.endswith(("LU", "Lu")) or kind in _ACTIVATIONS:
        return "activation"
    return "box" if changes else "other"


def _join(name: str, operation: str, inputs: Sequence[str | None]) -> _Step:
    return _Step(name, operation, tuple(inputs), "join", Node("join", operation, 0, (0, 0), ()))


def _inferred_joins(architecture: Mapping[str, Any], layers: Sequence[_Step]) -> list[tuple[int, _Step]]:
    """The joins of a published topology, from its layers' names, for records from before joins were recorded."""
    if architecture["topology"] not in ("plain", "strided"):
        return []
    parts = [match[0] for layer in layers if (match := re.match(r"blocks\.\d+|up\d|down\d|head|", layer.name))]
    last = {part: index for index, part in enumerate(parts)}
    partner = {"up1": "down1", "up2": "head"}
    joins: list[tuple[int, _Step]] = []
    for first, (before, part) in enumerate(pairwise(["", *parts])):
        if part == before or not (part.startswith("blocks.") or part in partner):
            continue
        end, skip = last[part], first - 1 if part.startswith("blocks.") else last.get(partner[part], -1)
        one, other = layers[end].node, layers[skip].node
        # A name alone proves nothing: only features of one shape can be added.
        if 0 <= skip < first and (one.channels, one.size) == (other.channels, other.size):
            source = next((join.name for after, join in joins if after == skip + 1), layers[skip].name)
            joins.append((end + 1, _join(f"{part}#add", "add", (layers[end].name, source))))
    return joins


# --- nodes ------------------------------------------------------------------------------------------------------------


def _nodes(steps: Sequence[_Step], photograph: Node) -> list[Node]:
    """Make norms and activations bands of the convolution before them, unless another step reads between them."""
    # Names of steps that some step other than the next one reads.
    read_elsewhere = {name for one, step in pairwise(steps) for name in step.inputs or () if name != one.name}
    nodes: list[Node] = []
    places: dict[str, int] = {}
    previous: str | None = None
    for step in steps:
        latest = len(nodes) - 1
        names = (previous,) if step.inputs is None else step.inputs
        inputs = tuple(sorted({PHOTOGRAPH if n is None else places[n] for n in names if n is None or n in places}))
        if step.role == "join" and len(inputs) < 2:
            continue
        inputs = inputs or (latest,)
        follows = bool(nodes) and inputs == (latest,)
        if step.role == "join":
            met = [photograph if index == PHOTOGRAPH else nodes[index] for index in inputs]
            size = max((node.size for node in met), key=lambda size: size[0] * size[1])  # others are repeated
            count = sum if step.kind == "cat" else max
            channels = count(node.channels for node in met)
            nodes.append(Node("join", step.kind, channels, size, inputs, layers=0))
        elif step.kind in _NOT_DRAWN and follows:
            nodes[-1] = replace(nodes[-1], layers=nodes[-1].layers + 1)
        elif step.role == "box":
            nodes.append(replace(step.node, inputs=inputs))
        elif follows and previous not in read_elsewhere and _has_room(nodes[-1]):
            before, bands = nodes[-1], (*nodes[-1].bands, (step.role, step.kind))
            nodes[-1] = replace(before, bands=bands, macs=before.macs + step.node.macs, layers=before.layers + 1)
        else:
            band = (step.role, step.kind)
            nodes.append(replace(step.node, kind="bands", label=step.kind, inputs=inputs, bands=(band,)))
        places[step.name] = len(nodes) - 1
        previous = step.name
    return nodes


def _has_room(node: Node) -> bool:
    return node.kind in ("layer", "bands", "resize") and len(node.bands) < _MOST_BANDS
