"""Drawings of networks: what they show, and that nothing in them overlaps."""

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from itertools import combinations
from typing import Any

import msgspec
import numpy as np
import pytest
import record_factory as make
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from matplotlib.transforms import Bbox
from msgspec import UNSET
from torch import Tensor, nn

from enhance_sweep.models import PlainGenerator, StridedGenerator
from enhance_sweep.models.description import describe
from enhance_sweep.paper import published_table
from enhance_sweep.records.schema import Description, Join, Layer, TimedRecord
from enhance_sweep.report.architecture import architecture_figure, architecture_in_words
from enhance_sweep.report.architecture.folding import MOST_NODES
from enhance_sweep.report.architecture.network import Fold, Network
from enhance_sweep.report.architecture.reading import network_of
from enhance_sweep.report.figures.style import COLOR_VARIABLES, NARROW, WIDE, Shape, embedded_svg, png, style, svg
from enhance_sweep.report.labels import TIMES
from tests.unit.models.made_up_topologies import Matrices, Pooled, Shuffled, Student

SHAPES = pytest.mark.parametrize("shape", [WIDE, NARROW], ids=["wide", "narrow"])


class Unet(nn.Module):
    """Nobody's: concatenations, a gate, residual convolutions, and the photograph added at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = _conv(3, 24, 5), _conv(24, 48, 3, 2), _conv(48, 96, 3, 2)
        self.middle = nn.ModuleList([_conv(96, 96, 3) for _ in range(3)])
        self.gate, self.enlarge = nn.Conv2d(96, 96, 1), nn.PixelShuffle(2)
        self.up_half, self.up_full, self.output = _conv(72, 48, 3), _conv(36, 24, 3), nn.Conv2d(24, 3, 3, padding=1)

    def forward(self, input: Tensor) -> Tensor:
        full = self.first(input)
        half = self.second(full)
        features = self.third(half)
        for layers in self.middle:
            features = features + layers(features)
        features = features * torch.sigmoid(self.gate(features))
        features = self.up_half(torch.cat([self.enlarge(features), half], 1))
        return self.output(self.up_full(torch.cat([self.enlarge(features), full], 1))) + input


def _conv(inputs: int, outputs: int, kernel_size: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel_size, stride, kernel_size // 2)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.SiLU())


class Branches(nn.Module):
    """Three convolutions side by side, concatenated."""

    def __init__(self) -> None:
        super().__init__()
        self.branches = nn.ModuleList([nn.Conv2d(3, 16, size, padding=size // 2) for size in (3, 5, 7)])
        self.merge = nn.Conv2d(48, 3, 1)

    def forward(self, input: Tensor) -> Tensor:
        return torch.sigmoid(self.merge(torch.cat([branch(input) for branch in self.branches], 1)))


def record_of(generator: nn.Module, architecture: dict[str, Any]) -> TimedRecord:
    return described(describe(generator), architecture)


def described(description: dict[str, Any], architecture: dict[str, Any]) -> TimedRecord:
    timed = make.timed(make.BASELINE, 5000.0) | {"description": description, "architecture": architecture}
    return msgspec.convert(timed, TimedRecord)


def plain(*sizes: int, prelu: bool = False) -> TimedRecord:
    return record_of(PlainGenerator(*sizes, prelu=prelu), make.plain(*sizes, prelu))


def strided(kernel: int, strided_kernel: int, channels: int, blocks: int = 2, prelu: bool = False) -> TimedRecord:
    generator = StridedGenerator(kernel, strided_kernel, channels, blocks, prelu)
    return record_of(generator, make.strided(kernel, strided_kernel, channels, blocks) | {"prelu": prelu})


def layer(index: int, **changes: Any) -> dict[str, Any]:
    shape = {"in_channels": 8, "out_channels": 8, "kernel_size": 3, "stride": 1, "height": 72, "width": 128}
    return {"name": f"l{index}", "kind": "Conv2d", **shape, "parameters": 5, "macs": 100} | changes


def invented(layers: list[dict[str, Any]], architecture: Any = None, **description: Any) -> TimedRecord:
    known = {"height": 72, "width": 128, "parameters": 5, "macs": 1000, "layers": layers}
    return described(known | description, architecture or {"topology": "odd"})


def join(name: str, after: int, *inputs: str | None, kind: str = "add") -> dict[str, Any]:
    return {"name": name, "kind": kind, "inputs": inputs, "after": after}


def without_connections(record: TimedRecord) -> TimedRecord:
    """As records were before they said what reads what."""
    layers = [msgspec.structs.replace(layer, input=UNSET) for layer in record.description.layers]
    description = msgspec.structs.replace(record.description, layers=layers, joins=[])
    return msgspec.structs.replace(record, description=description)


def network(record: TimedRecord) -> Network:
    return network_of(record)


CASES: dict[str, Callable[[], TimedRecord]] = {
    "plain-3-64-4": lambda: plain(3, 64, 4),
    "plain-5-32-2": lambda: plain(5, 32, 2),
    "plain-3-16-20": lambda: plain(3, 16, 20),
    "plain-3-16-0": lambda: plain(3, 16, 0),
    "strided-3-4-16": lambda: strided(3, 4, 16),
    "strided-4-4-64-prelu": lambda: strided(4, 4, 64, prelu=True),
    "strided-3-3-8-0": lambda: strided(3, 3, 8, blocks=0),
    "unet": lambda: record_of(Unet(), {"topology": "unet", "depth": 3}),
    "space-to-depth": lambda: record_of(Shuffled(64), {"topology": "space_to_depth"}),
    "pooled": lambda: record_of(Pooled(8), {"topology": "pooled"}),
    "matrices": lambda: record_of(Matrices(), {"topology": "matrices"}),
    "student": lambda: record_of(Student(), {"topology": "student"}),
    "branches": lambda: record_of(Branches(), {"topology": "branches"}),
    "a-chain-of-300": lambda: invented(
        [layer(i, kernel_size=i % 9 + 1, out_channels=i * i % 50 + 1) for i in range(300)]
    ),
    "seven-resolutions": lambda: invented([layer(i, stride=2, height=72 >> i, width=128 >> i) for i in range(7)]),
    "markup": lambda: invented(
        [layer(0, kind="<b>$x_{2}$</b>&--\x00\n\x1b[31m"), layer(1, kind="A" * 500)],
        {"topology": "<script>$a$ --> \x00" + "x" * 400, "of": {"b": [1]}},
    ),
}
EVERY_CASE = pytest.mark.parametrize("case", CASES)


def drawn(record: TimedRecord, shape: Shape = WIDE) -> Figure:
    return architecture_figure(record, shape)


def counts(figure: Figure) -> Counter[str]:
    """How many of each thing were drawn, legend apart."""
    return Counter(str(patch.get_label()) for patch in figure.axes[0].patches)


def texts(figure: Figure) -> list[str]:
    """What is written, with an x for each multiplication sign."""
    return [text.get_text().replace(TIMES, "x") for text in figure.axes[0].texts]


# --- what is drawn ----------------------------------------------------------------------------------------------------


@SHAPES
def test_shares_are_of_all_multiply_adds_and_of_all_repetitions(shape: Shape) -> None:
    for record in (plain(3, 16, 20), strided(4, 4, 32)):
        shares = [int(text[:-1]) for text in texts(drawn(record, shape)) if text.endswith("%")]
        assert sum(shares) == pytest.approx(100, abs=len(shares) / 2)


def test_boxes_are_as_long_as_the_resolution_and_as_thick_as_the_channels() -> None:
    def sizes(shape: Shape) -> list[tuple[float, float]]:
        patches = drawn(strided(3, 4, 16), shape).axes[0].patches
        return [(box.get_width(), box.get_height()) for box in patches if box.get_label() == "convolution"]  # type: ignore[attr-defined]

    across, down = sizes(WIDE), sizes(NARROW)
    channels = np.array([16, 32, 64, 64, 64, 32, 16, 16, 16])  # and 3, which is drawn as the least
    resolution = np.array([4, 2, 1, 1, 1, 2, 4, 4, 4])
    for thickness, length in (np.array(across[:-1]).T, np.array(down[:-1]).T[::-1]):
        np.testing.assert_allclose(thickness / thickness[0], channels / channels[0])
        np.testing.assert_allclose(length / length[0], resolution / resolution[0])


def test_the_more_multiply_adds_the_deeper_the_color() -> None:
    unet = CASES["unet"]()
    shares = [network(unet).share(index) for index, node in enumerate(network(unet).nodes) if node.kind == "layer"]
    patches = drawn(unet, NARROW).axes[0].patches
    depths = [patch.get_alpha() for patch in patches if patch.get_label() == "depth"]
    assert len(depths) == len(shares)
    assert np.argsort(depths, kind="stable").tolist() == np.argsort(shares, kind="stable").tolist()  # type: ignore[arg-type]


#: For a network what is drawn, joins in full, and what is written, how often.
PARTS: dict[str, tuple[dict[str, int], dict[str, int]]] = {
    # The paper's first figure. Eight convolutions in four equal blocks are two in a frame.
    "plain-3-64-4": (
        {"convolution": 6, "norm": 2, "activation": 5, "join add": 1, "skip": 1, "frame": 1, "photograph": 2},
        {"9x9, 64": 1, "3x3, 64": 4, "9x9, 3": 1, "x 4": 1, "4%": 2, "74%": 1, "9%": 2, "plain {3, 64, 4}": 1}
        | {"401,475 parameters · 368 GMACs at 1280x720": 1, "instance norm": 1, "ReLU": 1, "sum": 1}
        | {"box: 0 to 37% of multiply-adds": 1},
    ),
    # The third.
    "strided-3-4-16": (
        {"convolution": 10, "norm": 6, "activation": 9, "join add": 3, "skip": 3, "frame": 1},
        {"4x4 / 2, 32": 1, "4x4 / 2, 64": 1, "4x4 / ½, 32": 1, "4x4 / ½, 16": 1}
        | {"1280x720": 2, "640x360": 2, "320x180": 1, "13%": 2, "7%": 4, "31%": 1, "8%": 2},
    ),
    "unet": (
        {"convolution": 8, "resize": 2, "join add": 2, "join cat": 2, "join mul": 1, "skip": 5, "frame": 1},
        dict.fromkeys(["shuffle, 24", "x 3", "sum", "product", "concatenation", "batch norm", "SiLU, Sigmoid"], 1),
    ),
    "space-to-depth": (
        {"convolution": 4, "resize": 2, "norm": 2, "activation": 1, "join add": 2, "skip": 2, "frame": 1},
        {"unshuffle, 12": 1, "shuffle, 3": 1, "3x3, 64": 3, "x 2": 1, "640x360": 1, "1280x720": 2, "sum": 1}
        | {"unshuffle: pixels to channels": 1, "shuffle: channels to pixels": 1},
    ),
    # Functions: interpolation and an activation; the skips multiply.
    "pooled": (
        {"convolution": 5, "resize": 6, "activation": 3, "join mul": 3, "skip": 3},
        {"max pool, 8": 3, "bilinear, 8": 3, "160x90": 1, "product": 1, "LeakyReLU": 1}
        | {"bilinear: enlarged smoothly": 1, "max pool: largest of some pixels": 1},
    ),
    # A color matrix for each pixel is one join; what is 1x1 is narrow.
    "matrices": (
        {"convolution": 3, "resize": 2, "activation": 2, "join mul+add": 1, "join mul": 1, "skip": 3},
        {"5x5 / 4, 6": 1, "1x1, 12": 1, "bilinear, 12": 1, "mean, 3": 1, "Linear, 3": 1, "1x1": 1}
        | {"products and sums": 1, "product": 1, "/ 4: stride": 1, "mean: of each channel": 1},
    ),
    # PPCN's student with a depthwise convolution and a concatenation.
    "student": (
        {"convolution": 6, "resize": 1, "join sub+add": 1, "join add": 1, "join cat": 1, "skip": 3},
        {"1x7, 8": 1, "7x1, 8": 1, "1x7 d2, 16": 1, "7x1 d2, 8": 1, "3x3 dw, 8": 1, "3x3, 3": 1}
        | {"difference and sum": 1, "concatenation": 1, "dw: depthwise": 1, "d2: dilation": 1},
    ),
    # Two branches are reached past the one before them, and two outputs pass the branches that follow.
    "branches": (
        {"convolution": 4, "join cat": 1, "skip": 4},
        dict.fromkeys(["3x3, 16", "5x5, 16", "7x7, 16", "1x1, 3", "concatenation"], 1),
    ),
}


@pytest.mark.parametrize("case", PARTS)
def test_a_network_is_drawn_with_its_layers_and_joins(case: str) -> None:
    for shape in (WIDE, NARROW):
        figure = drawn(CASES[case](), shape)
        count, shown = counts(figure), Counter(texts(figure))
        parts, words = PARTS[case]
        assert {name: count[name] for name in {*parts, *(name for name in count if name.startswith("join"))}} == parts
        if shape is NARROW or case == "plain-3-64-4":  # the others have labels of two lines across
            assert {word: shown[word] for word in words} == words


def test_an_unknown_topology_without_connections_is_a_chain() -> None:
    count = counts(drawn(without_connections(CASES["unet"]())))
    assert (count["convolution"], count["resize"], count["skip"]) == (10, 2, 0)
    assert not any(label.startswith("join") for label in count)


def test_a_layer_that_reads_another_than_the_one_before_it_gets_its_own_arrow() -> None:
    layers = [layer(0, input=None), layer(1, input=None), layer(2, input="j")]
    count = counts(drawn(invented(layers, joins=[join("j", 2, "l0", "l1")])))
    # To the first layer, from the second to the sum, to the third, to the output; the photograph to the second, and
    # the first to the sum, go around.
    assert (count["flow"], count["skip"], count["join add"]) == (4, 2, 1)


# --- what the record says and what is inferred ------------------------------------------------------------------------


@pytest.mark.parametrize("table", [1, 2])
def test_connections_of_published_networks_are_inferred_from_names(table: int) -> None:
    for architecture in published_table(table)["architecture"]:
        sizes = {name: value for name, value in architecture.items() if name != "topology" and value is not None}
        generator = (PlainGenerator if architecture["topology"] == "plain" else StridedGenerator)(**sizes)
        record = record_of(generator, dict(architecture))
        found = network(record)
        assert found == network_of(without_connections(record))
        blocks = sizes.get("blocks", 2)
        folds = [Fold(1 if table == 1 else 3, 4 if table == 1 else 6, blocks)] if blocks > 1 else []
        assert list(found.folds) == folds
        assert sum(found.share(index) or 0.0 for index in range(len(found.nodes))) == pytest.approx(1.0)


def test_features_of_different_shapes_are_not_inferred_to_be_added() -> None:
    layers = [layer(0, name="head.0"), layer(1, name="blocks.0.conv1"), layer(2, name="blocks.0.conv2", out_channels=9)]
    assert [node.kind for node in network(invented(layers, make.BASELINE)).nodes] == ["layer"] * 3


def test_a_repeated_block_is_not_folded_if_others_read_from_within() -> None:
    layers = [layer(index) for index in range(6)]
    sums = [join("j0", 3, "l0", "l2"), join("j1", 5, "j0", "l4")]
    assert network(invented(layers, joins=sums)).folds == (Fold(1, 4, 2),)
    assert network(invented(layers, joins=[*sums, join("k", 6, "l1", "l5", kind="cat")])).folds == ()


def test_the_middle_of_a_long_network_is_left_out_and_counted() -> None:
    record = CASES["a-chain-of-300"]()
    found = network(record)
    assert len(found.nodes) == MOST_NODES
    (place,) = (index for index, node in enumerate(found.nodes) if node.kind == "more")
    assert found.nodes[place].label == f"{300 - MOST_NODES + 1} more layers"
    assert found.share(place) == pytest.approx((300 - MOST_NODES + 1) / 300)
    assert found.nodes[place].label in texts(drawn(record))
    assert network(invented([layer(index) for index in range(300)])).folds == (Fold(0, 1, 300),)


def test_in_words() -> None:
    same = "3x3 to 64 channels, 3x3 to 64 channels"
    words = f"plain {{3, 64, 4}}: 9x9 to 64 channels, 4 times ({same}, add), {same}, 9x9 to 3 channels"
    assert architecture_in_words(plain(3, 64, 4)).replace(TIMES, "x") == words


# --- where it is ------------------------------------------------------------------------------------------------------


@SHAPES
@EVERY_CASE
def test_nothing_overlaps_or_leaves_the_picture(case: str, shape: Shape) -> None:
    figure = drawn(CASES[case](), shape)
    axes = figure.axes[0]
    with style():
        named = [(text.get_text(), text.get_window_extent()) for text in axes.texts]
    lines = [(patch.get_label(), along(patch)) for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    patches = [(str(patch.get_label()), patch.get_window_extent()) for patch in axes.patches]
    solids = [item for item in patches if item[0] not in {"frame", *(label for label, _ in lines)}]
    width, height = figure.get_size_inches() * figure.dpi
    assert width / figure.dpi <= shape.width
    for label, box in (*named, *patches):
        assert min(box.x0, box.y0, width - box.x1, height - box.y1) >= 0, label
    for (one, a), (other, b) in combinations(named, 2):
        assert not a.overlaps(b), (one, other)
    for text, box in named:
        assert not [label for label, solid in solids if box.overlaps(solid)], text
        assert not [label for label, points in lines if _meets(box, points)], text
    skips = [points for label, points in lines if label == "skip"]
    boxes = [box for label, box in solids if label in ("convolution", "photograph")]
    assert not any(_meets(box, skip) for skip in skips for box in boxes)
    # Connections of branches share the points where they leave and arrive, and cross; so do two from the photograph.
    for skip, beside in combinations(skips, 2) if case not in ("branches", "matrices") else ():
        assert np.abs(skip[:, None] - beside).max(axis=2).min() > 5, "two connections run in one lane"


def along(line: FancyArrowPatch) -> Any:
    """Points of a line, close to each other, in pixels."""
    return np.asarray(line.get_transform().transform_path(line.get_path()).interpolated(100).vertices)


def _meets(box: Bbox, points: Any) -> bool:
    x, y = points.T
    return bool(((box.x0 < x) & (x < box.x1) & (box.y0 < y) & (y < box.y1)).any())


def test_published_networks_run_across_a_wide_page_and_down_a_narrow_one() -> None:
    for record in (plain(3, 64, 4), strided(4, 4, 64, prelu=True)):
        across, down = drawn(record, WIDE), drawn(record, NARROW)
        assert tuple(across.get_size_inches()) < (9.01, 5.7)
        assert across.get_size_inches()[0] == pytest.approx(WIDE.width)
        assert down.get_size_inches()[0] == pytest.approx(NARROW.width)
        assert down.get_size_inches()[1] > down.get_size_inches()[0]


# --- files and odd records --------------------------------------------------------------------------------------------


@EVERY_CASE
def test_files_are_reproducible_and_all_colors_are_the_pages(case: str) -> None:
    first, second = (drawn(CASES[case]()) for _ in range(2))
    assert svg(first) == svg(second)
    assert png(first) == png(second)
    embedded = embedded_svg(svg(first), "one", "a network")
    ET.fromstring(embedded)
    assert not any(color in embedded for color in COLOR_VARIABLES)
    assert "#" not in embedded.replace('href="#', "").replace("url(#", ""), "a color without a variable"
    assert "<script" not in embedded


def test_without_layers_there_is_no_figure() -> None:
    assert architecture_figure(invented([])) is None
    assert architecture_in_words(invented([])) == ""


def test_without_multiply_adds_there_are_no_shares() -> None:
    shown = texts(drawn(invented([layer(index, macs=0) for index in range(3)], macs=0)))
    assert not any("%" in text or "MAC" in text for text in shown)
    assert shown.count("3x3, 8") == 3


NUMBERS = st.integers(-3, 300) | st.sampled_from([0, -(2**62), 2**62, 10**5])
NAMES = st.sampled_from(["l0", "l1", "j", "k", "", "Conv2d", "$x_2$", "\x00\n"])
KINDS = ["Conv2d", "ConvTranspose2d", "PixelShuffle", "mul+add", "ReLU", "LayerNorm", "Pool", "Dropout", "", "<b>"]
ODD_KINDS = st.sampled_from([*KINDS, "A" * 300])
INPUTS = NAMES | st.none()
ODD_LAYERS = st.builds(
    Layer,
    name=NAMES,
    kind=ODD_KINDS,
    input=INPUTS | st.just(UNSET),
    **dict.fromkeys(["in_channels", "out_channels", "kernel_size", "stride", "height", "width", "macs"], NUMBERS),
    **dict.fromkeys(["kernel_width", "dilation", "groups", "step", "in_height", "in_width"], NUMBERS),
)
ODD_JOINS = st.builds(Join, name=NAMES, kind=ODD_KINDS, inputs=st.lists(INPUTS, max_size=4), after=NUMBERS)
TOPOLOGIES = st.sampled_from(["plain", "strided", "odd", "", "$x_2$\x00"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(ODD_LAYERS | st.builds(lambda i: msgspec.convert(layer(i), Layer), st.integers(0, 5)), max_size=12),
    st.lists(ODD_JOINS, max_size=4),
    NUMBERS,
    TOPOLOGIES,
    st.sampled_from([WIDE, NARROW]),
)
def test_no_description_is_too_odd(
    layers: list[Layer], joins: list[Join], macs: int, topology: str, shape: Shape
) -> None:
    description = Description(height=macs, width=72, parameters=macs, macs=macs, layers=layers, joins=joins)
    record = msgspec.structs.replace(invented([]), description=description, architecture={"topology": topology})
    figure = architecture_figure(record, shape)
    assert (figure is None) == (not layers)
    if figure is not None:
        ET.fromstring(svg(figure))
