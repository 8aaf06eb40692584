"""What a network's record says of its layers and of where features meet."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from msgspec import UNSET
from torch import Tensor, nn
from torch.nn import functional as F

from enhance_sweep.models import SRCNN, PlainGenerator, StridedGenerator
from enhance_sweep.models.description import describe
from enhance_sweep.records.schema import Description, Layer
from tests.unit.models.made_up_topologies import Matrices, Pooled, Shuffled, Student


def joins_of(generator: nn.Module) -> list[tuple[str, list[str | None], int]]:
    joins = describe(generator, 8, 8)["joins"]
    return [(join["name"], join["inputs"], join["after"]) for join in joins]


def inputs_of(generator: nn.Module) -> dict[str, Any]:
    return {layer["name"]: layer.get("input", "unknown") for layer in describe(generator, 8, 8)["layers"]}


def test_residual_sums_and_skip_connections_are_written_down() -> None:
    assert joins_of(PlainGenerator(3, 4, 2)) == [
        ("blocks.0#add", ["head.1", "blocks.0.act2"], 8),
        ("blocks.1#add", ["blocks.0#add", "blocks.1.act2"], 14),
    ]
    assert joins_of(StridedGenerator(3, 4, 4, blocks=1)) == [
        ("blocks.0#add", ["down2.2", "blocks.0.act2"], 14),
        ("up1#add", ["up1.act", "down1.2"], 17),
        ("up2#add", ["up2.act", "head.1"], 20),
    ]


@pytest.mark.parametrize("size", [(1, 1), (5, 8)])
def test_cropping_a_transposed_convolution_is_no_join(size: tuple[int, int]) -> None:
    description = describe(StridedGenerator(3, 4, 4, blocks=0), *size)
    assert [join["name"] for join in description["joins"]] == ["up1#add", "up2#add"]


def test_a_layer_names_what_it_reads() -> None:
    inputs = inputs_of(StridedGenerator(3, 4, 4, blocks=1))
    assert inputs["head.0"] is None
    assert inputs["down1.0"] == "head.1"
    assert inputs["up1.conv"] == "blocks.0#add"
    assert inputs["tail.0"] == "up2#add"
    assert "unknown" not in inputs.values()


class Branches(nn.Module):
    """Two readers of one layer, a concatenation, a sum in place, one with the photograph, and a canvas."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.both = (nn.Conv2d(count, 3, 3, padding=1) for count in (3, 3, 6))
        self.last = nn.Conv2d(3, 3, 1)

    def forward(self, input: Tensor) -> Tensor:
        left = torch.tanh(self.left(input) * 2) + 1
        features = self.both(torch.cat([left, self.right(input)], dim=1))
        features += left
        features = features + input
        canvas = torch.zeros(features.shape, device="meta")
        canvas[:, :, 1:] = features[:, :, 1:]
        enhanced: Tensor = self.last(canvas)
        return enhanced


def test_any_network_is_followed_through_operations_outside_of_its_layers() -> None:
    assert joins_of(Branches()) == [
        ("#cat", ["left", "right"], 2),
        ("#add", ["both", "left"], 3),
        ("#add2", ["#add", None], 3),
    ]
    assert [join["kind"] for join in describe(Branches(), 8, 8)["joins"]] == ["cat", "add", "add"]
    inputs = inputs_of(Branches())
    assert inputs == {"left": None, "right": None, "both": "#cat", "last": "unknown"}


# --- what runs, whoever runs it ---------------------------------------------------------------------------------------


def layers_of(generator: nn.Module, height: int = 8, width: int = 12) -> dict[str, dict[str, Any]]:
    """By name, which is each layer's own."""
    layers = describe(generator, height, width)["layers"]
    assert len({layer["name"] for layer in layers}) == len(layers)
    msgspec.convert(layers, list[Layer])
    return {layer["name"]: layer for layer in layers}


def test_a_pooling_with_one_number_for_its_kernel_is_described() -> None:
    layers = layers_of(Pooled(4), 16, 24)
    pool = layers["pool"]
    assert (pool["kind"], pool["kernel_size"], pool["stride"], pool["height"], pool["width"]) == (
        "MaxPool2d",
        2,
        2,
        8,
        12,
    )
    assert "in_height" not in pool, "the stride tells it"
    assert pool["macs"] == 0


def test_a_layer_that_runs_again_has_a_name_of_its_own_and_no_parameters() -> None:
    class Again(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.step, self.last = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 1)

        def forward(self, input: Tensor) -> Tensor:
            enhanced: Tensor = self.last(self.step(self.step(input)) + input)
            return enhanced

    layers = layers_of(Again())
    assert list(layers) == ["step", "step#2", "last"]
    assert [layer["parameters"] for layer in layers.values()] == [84, 0, 12]
    assert [layer["macs"] for layer in layers.values()] == [81 * 96, 81 * 96, 9 * 96]
    assert layers["step#2"]["input"] == "step"
    assert joins_of(Again()) == [("#add", ["step#2", None], 2)]


def test_functions_count_as_modules_do() -> None:
    class Modules(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, 8, (1, 5), padding=(0, 4), dilation=2)
            self.each = nn.Conv2d(8, 8, 3, padding=1, groups=8)
            self.down, self.up = nn.Conv2d(8, 6, 2, 2), nn.ConvTranspose2d(6, 12, 2, 2, groups=2)
            self.mix = nn.Linear(12, 3)

        def forward(self, input: Tensor) -> Tensor:
            features = self.up(self.down(self.each(self.first(input))))
            enhanced: Tensor = self.mix(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            return enhanced

    class Functions(Modules):
        def forward(self, input: Tensor) -> Tensor:
            features = F.conv2d(input, self.first.weight, self.first.bias, padding=(0, 4), dilation=2)
            features = F.conv2d(features, self.each.weight, self.each.bias, padding=1, groups=8)
            features = F.conv2d(features, self.down.weight, self.down.bias, stride=2)
            features = F.conv_transpose2d(features, self.up.weight, self.up.bias, stride=2, groups=2)
            return F.linear(features.permute(0, 2, 3, 1), self.mix.weight, self.mix.bias).permute(0, 3, 1, 2)

    pixels = 8 * 12
    by_hand = [3 * 8 * 5 * pixels, 8 * 9 * pixels, 8 * 6 * 4 * pixels // 4, 6 * 6 * 4 * pixels // 4, 12 * 3 * pixels]
    modules, functions = layers_of(Modules()), layers_of(Functions())
    assert [layer["macs"] for layer in modules.values()] == by_hand
    assert list(functions) == ["#convolution", "#convolution2", "#convolution3", "#convolution4", *list(functions)[4:]]
    for one, other in zip(modules.values(), functions.values(), strict=True):
        names = ("kind", "kernel_size", "stride", "dilation", "groups", "in_channels", "out_channels", "macs")
        names += ("kernel_width", "parameters") if one["kind"] != "Linear" else ()
        assert {name: one.get(name) for name in names} == {name: other.get(name) for name in names}
    first, each, down, up, mix = modules.values()
    assert (first["kernel_size"], first["kernel_width"], first["dilation"]) == (1, 5, 2)
    assert (each["groups"], up["groups"], up["kind"], down["stride"]) == (8, 2, "ConvTranspose2d", 2)
    assert "in_height" not in down | up
    assert (mix["in_channels"], mix["out_channels"], mix["height"], mix["width"]) == (12, 3, 8, 12)
    assert describe(Modules())["macs"] == describe(Functions())["macs"] == sum(by_hand) * 1280 * 720 // pixels


def test_products_of_matrices_count() -> None:
    class Attention(nn.Module):
        def forward(self, input: Tensor) -> Tensor:
            flat = input.flatten(2)
            weights = flat @ flat.transpose(1, 2)
            return (weights @ flat).view(input.shape)

    description = describe(Attention(), 4, 5)
    assert description["macs"] == 2 * 3 * 3 * 20
    assert [layer["kind"] for layer in description["layers"]] == ["MatMul", "MatMul"]


def test_a_module_without_children_that_calls_functions_is_followed() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Parameter(torch.ones(3, 3, 3, 3)), nn.Parameter(torch.ones(3, 3, 1, 1))

        def forward(self, input: Tensor) -> Tensor:
            return input + F.conv2d(F.conv2d(input, self.one, padding=1), self.two)

    layers = layers_of(Pair())
    assert [(layer["name"], layer["parameters"], layer["input"]) for layer in layers.values()] == [
        ("#convolution", 81, None),
        ("#convolution2", 9, "#convolution"),
    ]
    assert joins_of(Pair()) == [("#add", [None, "#convolution2"], 2)]
    inside = nn.Sequential(Pair(), nn.ReLU(), Pair())
    assert list(layers_of(inside)) == ["0#convolution", "0#convolution2", "1", "2#convolution", "2#convolution2"]
    assert describe(inside)["parameters"] == 180


def test_a_module_that_reads_two_origins_is_followed() -> None:
    class Weigh(nn.Module):
        def forward(self, features: Tensor, gain: Tensor) -> Tensor:
            return features * torch.sigmoid(gain)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right, self.weigh = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), Weigh()

        def forward(self, input: Tensor) -> Tensor:
            weighed: Tensor = self.weigh(self.left(input), gain=self.right(input))
            return weighed

    assert joins_of(Net()) == [("weigh#mul", ["left", "weigh#sigmoid"], 3)]


def test_what_moves_memory_tells_both_of_its_sizes() -> None:
    layers = layers_of(Shuffled(8, 0), 8, 12)
    unshuffle, shuffle = layers["unshuffle"], layers["shuffle"]
    assert (unshuffle["height"], unshuffle["in_height"], unshuffle["in_width"]) == (4, 8, 12)
    assert (shuffle["in_height"], shuffle["in_channels"], shuffle["height"], shuffle["out_channels"]) == (4, 12, 8, 3)
    moved = {name: msgspec.convert(layer, Layer) for name, layer in layers.items()}
    for name in ("unshuffle", "shuffle"):
        assert moved[name].read == moved[name].written == 3 * 8 * 12
    layers = layers_of(Matrices(), 16, 24)
    enlarged, mean = layers["#upsample_bilinear2d"], layers["#mean"]
    assert (enlarged["kind"], enlarged["in_height"], enlarged["height"]) == ("UpsamplingBilinear2d", 4, 16)
    assert (mean["in_height"], mean["in_width"], mean["height"], mean["out_channels"]) == (16, 24, 1, 3)
    assert layers["curve"]["macs"] == 9


def test_a_matrix_for_each_pixel_is_one_join_and_tells_its_traffic() -> None:
    matrix, weighed = describe(Matrices(), 16, 24)["joins"]
    assert (matrix["kind"], matrix["inputs"]) == ("mul+add", ["#upsample_bilinear2d", None])
    assert matrix["operations"] == 7
    plane = 16 * 24
    products, sums = 3 * (1 + 3 + 3) * plane, 4 * 3 * 3 * plane
    assert matrix["values"] == products + sums
    assert (weighed["kind"], weighed["inputs"]) == ("mul", [matrix["name"], "#sigmoid"])
    assert weighed["values"] == 3 * (2 * plane + 1)


def test_raising_the_contrast_is_one_join() -> None:
    first, *_, last = describe(Student())["joins"]
    assert (first["kind"], first["inputs"]) == ("sub+add", [None, "#mean"])
    assert last["kind"] == "cat"


def test_batch_norms_and_dropout_are_those_of_inference() -> None:
    generator = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Dropout()).train()
    assert list(layers_of(generator, 1, 1)) == ["0", "1", "2"]
    assert generator.training


def test_statistics_of_some_pixels_say_of_which() -> None:
    class Sampled(nn.Module):
        step = 4

        def forward(self, input: Tensor) -> Tensor:
            return input - input[:, :, ::4, ::4].mean(dim=(2, 3), keepdim=True)

    assert layers_of(nn.Sequential(Sampled()))["0"]["step"] == 4


RECORDS = sorted((Path(__file__).parents[3] / "reports/dped-sample/records/timed").rglob("*.json"))


def test_records_of_published_networks_say_what_they_said() -> None:
    """Multiply-adds, parameters and layers are those of records made before there were functions among the layers."""
    known = {json.dumps(record["architecture"]): record for record in map(read_json, RECORDS)}
    assert len(known) > 10
    for record in known.values():
        topology, *settings = record["architecture"].items()
        generator = {"plain": PlainGenerator, "strided": StridedGenerator, "srcnn": SRCNN}[topology[1]](
            **dict(settings)
        )
        now = msgspec.convert(describe(generator), Description)
        then = msgspec.convert(record["description"], Description)
        layers = now.layers
        if then.layers[0].input is UNSET:  # from before records said what reads what
            layers = [msgspec.structs.replace(layer, input=UNSET) for layer in layers]
        assert (now.macs, now.parameters, layers) == (then.macs, then.parameters, then.layers)
        joins = [msgspec.structs.replace(join, values=0) for join in now.joins]
        assert then.joins in ([], joins)


def read_json(path: Path) -> Any:
    return json.loads(path.read_bytes())
