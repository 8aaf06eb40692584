"""A network as its record describes it.

Records come from anywhere: whatever a layer does not say sensibly is filled in, and nothing raises.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from enhance_sweep.report.architecture.folding import shortened
from enhance_sweep.report.architecture.network import PHOTOGRAPH, Network, Node
from enhance_sweep.report.labels import TIMES, network_label

#: More bands than these beside one convolution are drawn apart.
_MOST_BANDS = 4
#: Beyond these a number is no side, kernel or channels of a network, and no count of its parameters or multiply-adds.
_LARGEST_SIZE, _LARGEST_COUNT = 10**5, 10**15
_ACTIVATIONS = {"Sigmoid", "Tanh", "Softmax", "Softmax2d", "Softplus", "Softsign", "Hardtanh", "Hardswish"}
_ACTIVATIONS |= {"Hardsigmoid", "Mish", "Threshold", "LogSigmoid", "Tanhshrink", "Softshrink", "Hardshrink"}
#: What changes nothing when a network is used; a `Sequential` among the layers is an empty one.
_NOT_DRAWN = {"Identity", "Dropout", "Dropout2d", "AlphaDropout", "Sequential"}

Record = Mapping[str, Any]


@dataclass(frozen=True)
class _Layer:
    name: str
    kind: str
    in_channels: int
    out_channels: int
    kernel_size: int
    stride: int
    size: tuple[int, int]
    macs: int
    is_larger: bool  # than what it reads
    is_resized: bool


@dataclass(frozen=True)
class _Event:
    """A layer, or a join where there is no layer; `inputs` are names, None for what came just before."""

    name: str
    layer: _Layer | None
    operation: str = ""
    inputs: tuple[str | None, ...] | None = None


def network_of(record: Record) -> Network | None:
    """What a trained or timed record's layers are; None where it has none."""
    description = record.get("description") if isinstance(record, Mapping) else None
    if not isinstance(description, Mapping):
        return None
    size = (_size(description.get("height")) or 720, _size(description.get("width")) or 1280)
    raw = description.get("layers")
    rows = [row for row in raw if isinstance(row, Mapping)] if isinstance(raw, list | tuple) else []
    layers = _layers(rows, size)
    if not layers:
        return None
    nodes = _nodes(_events(record, description, rows, layers))
    if not nodes:
        return None
    nodes, folds = shortened(nodes)
    counted = sum(layer.macs for layer in layers)
    return Network(
        nodes=tuple(nodes),
        folds=tuple(folds),
        name=_name(record),
        parameters=_count(description.get("parameters")),
        macs=max(_count(description.get("macs")) or 0, counted),
        size=size,
        channels=layers[0].in_channels,
    )


# --- what the record says ---------------------------------------------------------------------------------------------


def _size(value: Any) -> int | None:
    """A positive whole number that can be a size; None where it is none."""
    return _count(value, _LARGEST_SIZE)


def _count(value: Any, largest: int = _LARGEST_COUNT) -> int | None:
    is_one = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < largest
    return int(value) or None if is_one else None


def _name(record: Record) -> str:
    architecture = record.get("architecture")
    if not isinstance(architecture, Mapping) or not architecture.get("topology"):
        return ""
    label = network_label(architecture).removesuffix(" {}")
    return printable(
        label if label.startswith(str(architecture["topology"])) else f"{architecture['topology']} {label}"
    )


def printable(text: Any, longest: int = 120) -> str:
    """A name from a record as one line of reasonable length."""
    line = "".join(letter if letter.isprintable() else " " for letter in str(text)[: 4 * longest]).strip()
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def _layers(rows: Sequence[Mapping[str, Any]], size: tuple[int, int]) -> list[_Layer]:
    layers: list[_Layer] = []
    before, channels = size, 3
    for index, row in enumerate(rows):
        reads = _size(row.get("in_channels")) or channels
        gives = _size(row.get("out_channels")) or channels
        after = (_size(row.get("height")) or before[0], _size(row.get("width")) or before[1])
        layers.append(
            _Layer(
                name=str(row.get("name") or f"layer {index}"),
                kind=printable(row.get("kind") or "layer", 24),
                in_channels=reads,
                out_channels=gives,
                kernel_size=_size(row.get("kernel_size")) or 1,
                stride=_size(row.get("stride")) or 1,
                size=after,
                macs=_count(row.get("macs")) or 0,
                is_larger=after > before,
                is_resized=after != before or gives != channels,
            )
        )
        before, channels = after, gives
    return layers


def _events(
    record: Record, description: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], layers: Sequence[_Layer]
) -> list[_Event]:
    """Layers and joins in the order in which they run."""
    joins = description.get("joins")
    if isinstance(joins, list | tuple):
        found = [event for join in joins if (event := _join(join)) is not None]
    else:
        found = _inferred_joins(record, layers)
    events = []
    for index, (row, layer) in enumerate(zip(rows, layers, strict=True)):
        events += [event for after, event in found if after == index]
        known = "input" in row and (row["input"] is None or isinstance(row["input"], str))
        events.append(_Event(layer.name, layer, inputs=(row["input"],) if known else None))
    return events + [event for after, event in found if after >= len(layers)]


def _join(join: Any) -> tuple[int, _Event] | None:
    if not isinstance(join, Mapping) or not isinstance(join.get("inputs"), list | tuple):
        return None
    inputs = tuple(item for item in join["inputs"] if item is None or isinstance(item, str))
    operation = printable(join.get("kind") or "join", 24)
    return _size(join.get("after")) or 0, _Event(str(join.get("name")), None, operation, inputs)


def _inferred_joins(record: Record, layers: Sequence[_Layer]) -> list[tuple[int, _Event]]:
    """Those of the two published topologies, whose records did not always say them: known from their layers' names."""
    architecture = record.get("architecture")
    topology = architecture.get("topology") if isinstance(architecture, Mapping) else None
    if topology not in ("plain", "strided"):
        return []
    parts = [re.match(r"blocks\.\d+|up\d|down\d|head|", layer.name)[0] for layer in layers]  # type: ignore[index]
    last = {part: index for index, part in enumerate(parts)}
    partner = {"up1": "down1", "up2": "head"}
    joins: list[tuple[int, _Event]] = []
    for first, (before, part) in enumerate(pairwise(["", *parts])):
        if part == before or not (part.startswith("blocks.") or part in partner):
            continue
        end, skip = last[part], first - 1 if part.startswith("blocks.") else last.get(partner[part], -1)
        one, other = layers[end], layers[skip]
        # A name alone proves nothing: only features of one shape can be added.
        if 0 <= skip < first and (one.out_channels, one.size) == (other.out_channels, other.size):
            source = next((event.name for after, event in joins if after == skip + 1), other.name)
            joins.append((end + 1, _Event(f"{part}#add", None, "add", (one.name, source))))
    return joins


# --- nodes ------------------------------------------------------------------------------------------------------------


def _nodes(events: Sequence[_Event]) -> list[Node]:
    """Norms and activations join the convolution before them, unless something else reads what is between."""
    read_elsewhere = _read_elsewhere(events)
    nodes: list[Node] = []
    places: dict[str, int] = {}
    previous: str | None = None
    for event in events:
        latest = len(nodes) - 1
        names = (previous,) if event.inputs is None else event.inputs
        inputs = tuple(sorted({PHOTOGRAPH if n is None else places[n] for n in names if n is None or n in places}))
        inputs = inputs if inputs or event.layer is None else (latest,)
        if event.layer is None:
            if len(inputs) < 2:
                continue
            shape = nodes[max(inputs)]
            nodes.append(Node("join", event.operation, shape.channels, shape.size, inputs))
        elif event.layer.kind in _NOT_DRAWN and inputs == (latest,) and nodes:
            nodes[-1] = replace(nodes[-1], layers=nodes[-1].layers + 1)
        else:
            joins_latest = bool(nodes) and inputs == (latest,) and previous not in read_elsewhere
            nodes = _with_layer(nodes, event.layer, inputs, joins_latest)
        places[event.name] = len(nodes) - 1
        previous = event.name
    return nodes


def _with_layer(nodes: list[Node], layer: _Layer, inputs: tuple[int, ...], joins_latest: bool) -> list[Node]:
    role = _role(layer)
    if role == "box":
        node = Node("layer", _box_label(layer), layer.out_channels, layer.size, inputs, macs=layer.macs)
        return [*nodes, node]
    band = (role, layer.kind)
    latest = nodes[-1] if nodes else None
    if latest and joins_latest and latest.kind in ("layer", "bands") and len(latest.bands) < _MOST_BANDS:
        bands, macs, count = (*latest.bands, band), latest.macs + layer.macs, latest.layers + 1
        return [*nodes[:-1], replace(latest, bands=bands, macs=macs, layers=count)]
    return [*nodes, Node("bands", layer.kind, layer.out_channels, layer.size, inputs, (band,), layer.macs)]


def _role(layer: _Layer) -> str:
    if "conv" in layer.kind.lower() or layer.kind == "Linear":
        return "box"
    if "norm" in layer.kind.lower():
        return "norm"
    if layer.kind.endswith(("LU", "Lu")) or layer.kind in _ACTIVATIONS:
        return "activation"
    return "box" if layer.is_resized or layer.macs else "other"


def _box_label(layer: _Layer) -> str:
    """`9×9`, `4×4 / 2` at stride 2, `4×4 / ½` transposed; of what is no convolution, its kind."""
    if "conv" not in layer.kind.lower():
        return layer.kind
    kernel = f"{layer.kernel_size}{TIMES}{layer.kernel_size}"
    if layer.stride == 1:
        return kernel
    if "transpose" in layer.kind.lower() or layer.is_larger:
        return f"{kernel} / " + ("½" if layer.stride == 2 else f"(1/{layer.stride})")
    return f"{kernel} / {layer.stride}"


def _read_elsewhere(events: Sequence[_Event]) -> set[str]:
    """Names of what something other than the next event reads."""
    names: set[str] = set()
    for before, event in pairwise([None, *events]):
        mine = event.inputs or () if event else ()
        names |= {name for name in mine if name is not None and (before is None or name != before.name)}
    return names
