"""What a network's record says of its layers and of where features meet."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from enhance_sweep.models import PlainGenerator, StridedGenerator
from enhance_sweep.models.description import describe


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
