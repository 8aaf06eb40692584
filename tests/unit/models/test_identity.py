"""Networks that start as their photograph."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import skimage.data
import torch
from torch import Tensor, nn

from enhance_sweep.models import (
    SRCNN,
    CoefficientsGenerator,
    PlainGenerator,
    SeparableGenerator,
    ShuffledGenerator,
    StridedGenerator,
    ToneGenerator,
    UNetGenerator,
)
from enhance_sweep.models.identity import CannotCarryError
from enhance_sweep.models.residual import Norm
from enhance_sweep.models.unet import Skip

PLAIN = [(3, 64, 4), (3, 3, 2), (4, 16, 2), (1, 8, 1), (2, 5, 1), (5, 32, 2), (3, 16, 0), (3, 128, 3)]
STRIDED = [(3, 4, 16), (4, 4, 16), (3, 3, 32), (2, 2, 3), (5, 5, 8)]
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    **{f"plain {of}": partial(PlainGenerator, *of, prelu=of[0] % 2 == 0) for of in PLAIN},
    **{f"strided {of}": partial(StridedGenerator, *of, prelu=of[0] != 3) for of in STRIDED},
    "plain with color": partial(PlainGenerator, 3, 16, 1, global_color=True),
    "strided with color": partial(StridedGenerator, 3, 4, 8, global_color=True),
    "SRCNN": SRCNN,
    "shuffled": ShuffledGenerator,
    "shuffled, all else": partial(ShuffledGenerator, 4, 5, 24, 1, "sampled", "channel", False, True),
    "shuffled, a gate in space": partial(ShuffledGenerator, 3, 1, 8, 3, "instance", "spatial"),
    "coefficients": CoefficientsGenerator,
    "coefficients without detail": partial(CoefficientsGenerator, 16, 1, 8, 0, detail=False),
    "coefficients, all else": partial(CoefficientsGenerator, 8, 3, 16, 1, "sampled", "spatial", global_color=False),
    "PPCN's student": SeparableGenerator,
    "PPCN's teacher": partial(SeparableGenerator, 7, "full", 3, 16, 2, 2, True),
    "separable, depthwise": partial(SeparableGenerator, 5, "depthwise", 3, 8, 2, 4, norm="none", gate="channel"),
    "separable, added": partial(SeparableGenerator, 3, channels=4, blocks=1, residual=True, global_color=True),
    "unet": UNetGenerator,
    "unet, all else": partial(UNetGenerator, 5, 4, 3, "add", False, "instance", "channel", True, True),
    "tone": ToneGenerator,
    "tone with a straight bend": partial(ToneGenerator, 1, 8),
}


@pytest.fixture(scope="module")
def photographs() -> Tensor:
    """Six pieces of 96x96 of two photographs: dark, bright, colored."""
    whole = [skimage.data.astronaut(), skimage.data.chelsea()]
    corners = [(0, 0), (60, 120), (200, 300)]
    pieces = [photo[top : top + 96, left : left + 96] for photo in whole for top, left in corners]
    return torch.from_numpy(np.stack(pieces)).permute(0, 3, 1, 2).float() / 255


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    made = NETWORKS[request.param]()
    made.start_as_identity()  # type: ignore[operator]
    return made


def test_it_gives_photographs_back_and_every_weight_learns(network: nn.Module, photographs: Tensor) -> None:
    result = network(photographs)
    assert (result - photographs).abs().mean() < 0.03, "the tanh alone leaves 0.02"
    chroma, wanted = (float((images.max(1).values - images.min(1).values).mean()) for images in (result, photographs))
    assert chroma == pytest.approx(wanted, rel=0.15), "in color"
    (result - photographs.flip(1)).square().mean().backward()
    # A slope of a PReLU learns once its channel is negative somewhere, a bias before a norm never.
    for name, parameter in network.named_parameters():
        if parameter.dim() > 1 or "norm" in name:
            assert parameter.grad is not None
            assert (parameter.grad != 0).all(), name


@pytest.mark.parametrize("skip", ["multiply", "add"])
@pytest.mark.parametrize("norm", ["none", "instance", "sampled"])
def test_what_a_u_net_adds_to_a_skip_starts_small(skip: Skip, norm: Norm, photographs: Tensor) -> None:
    torch.manual_seed(0)
    network = UNetGenerator(channels=4, depth=2, skip=skip, norm=norm)
    network.start_as_identity()
    features = network.head(photographs)
    little = 0.1 * features.abs().mean() if skip == "multiply" else 0.02
    assert (network.levels(features) - features).abs().mean() < little


@pytest.mark.parametrize("make", [lambda: PlainGenerator(3, 2, 1), lambda: StridedGenerator(channels=1)])
def test_fewer_than_three_channels_carry_no_photograph(make: Callable[[], nn.Module]) -> None:
    with pytest.raises(CannotCarryError, match=r"expected at least 3 channels, .*, got [12]"):
        make().start_as_identity()  # type: ignore[operator]


def test_another_seed_starts_with_other_features() -> None:
    starts = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        network = PlainGenerator(3, 8, 1)
        network.start_as_identity()
        starts.append(network.head[0].weight.detach().clone())  # type: ignore[union-attr, operator]
    torch.testing.assert_close(starts[0][:3], starts[1][:3])
    assert not torch.isclose(starts[0][3:], starts[1][3:]).all()
