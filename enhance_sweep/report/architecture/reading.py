"""A record's description of a network, as nodes to draw.

Records may come from anywhere. A value that makes no sense is replaced, and nothing raises.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from enhance_sweep.report.architecture.folding import shortened
from enhance_sweep.report.architecture.network import PHOTOGRAPH, Network, Node
from enhance_sweep.report.labels import TIMES, network_label

#: Further bands are not drawn beside the same convolution.
_MOST_BANDS = 4
#: A larger number is no side, kernel size or channels, and no count of parameters or multiply-adds.
_LARGEST_SIZE, _LARGEST_COUNT = 10**5, 10**15
_ACTIVATIONS = {"Sigmoid", "Tanh", "Softmax", "Softmax2d", "Softplus", "Softsign", "Hardtanh", "Hardswish"}
_ACTIVATIONS |= {"Hardsigmoid", "Mish", "Threshold", "LogSigmoid", "Tanhshrink", "Softshrink", "Hardshrink"}
#: They do nothing when a network is used. A `Sequential` among the layers is an empty one.
_NOT_DRAWN = {"Identity", "Dropout", "Dropout2d", "AlphaDropout", "Sequential"}

Record = Mapping[str, Any]


@dataclass(frozen=True)
class _Step:
    """A layer that runs, or a join: features that meet outside of any layer.

    Attributes:
        kind: a layer's class, or a join's operation.
        inputs: names of the steps that it reads, None for the photograph; None instead of all of them where the record
            does not say, and it reads the step before.
        role: `box`, `norm`, `activation`, `other`, or `join`.
        node: as it is drawn with a box of its own; a join takes the shape of what it reads.
    """

    name: str
    kind: str
    inputs: tuple[str | None, ...] | None
    role: str
    node: Node


def network_of(record: Record) -> Network | None:
    """The network that a trained or timed record describes; None where it describes no layers."""
    description = _mapping(record, "description")
    size = (_size(description.get("height")) or 720, _size(description.get("width")) or 1280)
    rows = [row for row in _list(description.get("layers")) if isinstance(row, Mapping)]
    layers = _layers(rows, size)
    raw = description.get("joins")
    joins = _inferred_joins(record, layers) if not isinstance(raw, list | tuple) else _joins(raw)
    nodes = _nodes(_in_order(layers, joins))
    if not nodes:
        return None
    nodes, folds = shortened(nodes)
    return Network(
        nodes=tuple(nodes),
        folds=tuple(folds),
        name=_name(_mapping(record, "architecture")),
        parameters=_count(description.get("parameters")),
        macs=max(_count(description.get("macs")) or 0, sum(layer.node.macs for layer in layers)),
        size=size,
        channels=_size(rows[0].get("in_channels")) or 3,
    )


# --- what the record says ---------------------------------------------------------------------------------------------


def _mapping(record: Any, name: str) -> Record:
    found = record.get(name) if isinstance(record, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _size(value: Any) -> int | None:
    """A positive whole number that can be a size; None where it is none."""
    return _count(value, _LARGEST_SIZE)


def _count(value: Any, largest: int = _LARGEST_COUNT) -> int | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) or None if is_number and 0 < value < largest else None


def _name(architecture: Record) -> str:
    topology = architecture.get("topology")
    if not topology:
        return ""
    label = network_label(architecture).removesuffix(" {}")
    return _line(label if label.startswith(str(topology)) else f"{topology} {label}")


def _line(text: Any, longest: int = 120) -> str:
    """A name from a record as one line of reasonable length."""
    line = "".join(letter if letter.isprintable() else " " for letter in str(text)[: 4 * longest]).strip()
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def _layers(rows: Sequence[Record], size: tuple[int, int]) -> list[_Step]:
    layers: list[_Step] = []
    channels = 3
    for index, row in enumerate(rows):
        kind = _line(row.get("kind") or "layer", 24)
        outputs = _size(row.get("out_channels")) or channels
        after = (_size(row.get("height")) or size[0], _size(row.get("width")) or size[1])
        macs = _count(row.get("macs")) or 0
        kernel_size, stride = _size(row.get("kernel_size")) or 1, _size(row.get("stride")) or 1
        label = _label(kind, kernel_size, stride, is_larger=after > size)
        is_known = "input" in row and (row["input"] is None or isinstance(row["input"], str))
        layers.append(
            _Step(
                name=str(row.get("name") or f"layer {index}"),
                kind=kind,
                inputs=(row["input"],) if is_known else None,
                node=Node("layer", label, outputs, after, (), macs=macs),
                role=_role(kind, changes=bool(macs) or (outputs, after) != (channels, size)),
            )
        )
        size, channels = after, outputs
    return layers


def _label(kind: str, kernel_size: int, stride: int, is_larger: bool) -> str:
    """`9×9`, `4×4 / 2` at stride 2, `4×4 / ½` transposed; a layer that is no convolution goes by its kind."""
    if "conv" not in kind.lower():
        return kind
    label = f"{kernel_size}{TIMES}{kernel_size}"
    if stride == 1:
        return label
    if "transpose" in kind.lower() or is_larger:
        return f"{label} / " + ("½" if stride == 2 else f"(1/{stride})")
    return f"{label} / {stride}"


def _role(kind: str, changes: bool) -> str:
    """What a layer is drawn as; an unknown one is a box if it computes something or `changes` the output's shape."""
    if "conv" in kind.lower() or kind == "Linear":
        return "box"
    if "norm" in kind.lower():
        return "norm"
    if kind.endswith(("LU", "Lu")) or kind in _ACTIVATIONS:
        return "activation"
    return "box" if changes else "other"


def _join(name: str, operation: str, inputs: Sequence[Any]) -> _Step:
    names = tuple(item for item in inputs if item is None or isinstance(item, str))
    return _Step(name, operation, names, "join", Node("join", operation, 0, (0, 0), ()))


def _joins(raw: Sequence[Any]) -> list[tuple[int, _Step]]:
    """Joins, each with the number of layers that run before it."""
    return [
        (_size(join.get("after")) or 0, _join(str(join.get("name")), _line(join.get("kind") or "join", 24), inputs))
        for join in raw
        if isinstance(join, Mapping) and isinstance(inputs := join.get("inputs"), list | tuple)
    ]


def _inferred_joins(record: Record, layers: Sequence[_Step]) -> list[tuple[int, _Step]]:
    """The joins of a published topology, from its layers' names, for records from before joins were recorded."""
    if _mapping(record, "architecture").get("topology") not in ("plain", "strided"):
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


def _in_order(layers: Sequence[_Step], joins: Sequence[tuple[int, _Step]]) -> list[_Step]:
    """All steps in the order in which they run."""
    places = [(index + 0.5, layer) for index, layer in enumerate(layers)]
    return [step for _, step in sorted([*joins, *places], key=lambda placed: placed[0])]


# --- nodes ------------------------------------------------------------------------------------------------------------


def _nodes(steps: Sequence[_Step]) -> list[Node]:
    """Norms and activations are bands of the convolution before them, unless another step reads what is between."""
    read_elsewhere = _read_elsewhere(steps)
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
            shape = nodes[max(inputs)]
            nodes.append(Node("join", step.kind, shape.channels, shape.size, inputs, layers=0))
        elif step.kind in _NOT_DRAWN and follows:
            nodes[-1] = replace(nodes[-1], layers=nodes[-1].layers + 1)
        elif step.role == "box":
            nodes.append(replace(step.node, inputs=inputs))
        elif follows and previous not in read_elsewhere and _has_room(nodes[-1]):
            nodes[-1] = _with_band(nodes[-1], step)
        else:
            band = (step.role, step.kind)
            nodes.append(replace(step.node, kind="bands", label=step.kind, inputs=inputs, bands=(band,)))
        places[step.name] = len(nodes) - 1
        previous = step.name
    return nodes


def _has_room(node: Node) -> bool:
    return node.kind in ("layer", "bands") and len(node.bands) < _MOST_BANDS


def _with_band(node: Node, step: _Step) -> Node:
    bands = (*node.bands, (step.role, step.kind))
    return replace(node, bands=bands, macs=node.macs + step.node.macs, layers=node.layers + 1)


def _read_elsewhere(steps: Sequence[_Step]) -> set[str | None]:
    """Names of steps that another than the next one reads."""
    befores = [None, *(step.name for step in steps)]
    return {name for before, step in zip(befores, steps, strict=False) for name in step.inputs or () if name != before}
