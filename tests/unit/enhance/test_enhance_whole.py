"""How much memory a network takes on a whole photograph, from shapes alone."""

import pytest
import torch
from torch import Tensor, nn

from enhance_sweep.enhance import Enhancer
from enhance_sweep.enhance.whole import peak_bytes
from enhance_sweep.models import PlainGenerator, StridedGenerator
from tests.unit.models.made_up_topologies import Shuffled

PIXELS = 40 * 50
FLOAT = 4


class Sum(nn.Module):
    """Three images at once: the input, twice it, and their sum."""

    def forward(self, input: Tensor) -> Tensor:
        return input + input * 2


class Freed(nn.Module):
    """Ten times two images at once, never more."""

    def forward(self, input: Tensor) -> Tensor:
        for _ in range(10):
            input = input * 2
        return input


class Mirrored(nn.Module):
    """A network with a part that is not known strip by strip."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = self.network(input.flip(3)).flip(3)
        return result


@pytest.mark.parametrize(
    ("network", "images"),
    [(nn.Identity(), 3), (Sum(), 3 * 3), (Freed(), 3 * 3), (nn.Sequential(nn.ReLU(), nn.PixelUnshuffle(2)), 3 * 3)],
    ids=str,
)
def test_what_lives_at_once_is_counted(network: nn.Module, images: int) -> None:
    assert peak_bytes(network, 40, 50, torch.float32) == images * PIXELS * FLOAT
    assert peak_bytes(network, 40, 50, torch.bfloat16) == images * PIXELS * FLOAT // 2


def test_convolutions_need_their_features_once_more() -> None:
    """In a layout with multiples of 16 channels; the image is read as it is."""
    conv = nn.Conv2d(3, 24, 3, padding=1).to("meta")
    assert peak_bytes(conv, 40, 50, torch.float32) == (3 + 24 + 32) * PIXELS * FLOAT


@pytest.mark.parametrize("network", [PlainGenerator(3, 16, 2), StridedGenerator(3, 4, 16, 2), Shuffled(16)], ids=str)
def test_twelve_megapixels_fit_into_what_they_take(network: nn.Module) -> None:
    """At 12 megapixels, features of 16 channels take 744 MiB; the estimate was four times those of the widest layer."""
    enhancer = Enhancer(Mirrored(network))
    assert enhancer.why_whole is not None
    features = 3024 * 4032 * 16 * FLOAT
    assert enhancer.needs(3024, 4032) < (2 if isinstance(network, Shuffled) else 8) * features


def test_a_photograph_that_fits_is_not_refused() -> None:
    enhancer = Enhancer(Mirrored(Shuffled(8)))
    needed = -(-enhancer.needs(300, 400) // 2**20)
    photo = torch.rand(3, 300, 400)
    enhancer.limit(needed - 1)
    with pytest.raises(
        ValueError, match=rf"400x300 needs about {needed - 1} MiB, and {needed - 1} MiB are allowed: .*flip"
    ):
        enhancer(photo)
    enhancer.limit(needed)
    with torch.no_grad():
        wanted = Mirrored(Shuffled(8)).eval()
        wanted.load_state_dict(enhancer.generator.state_dict())
        torch.testing.assert_close(enhancer(photo), wanted(photo[None])[0].clamp(0, 1), rtol=0, atol=1e-5)
    assert enhancer.budget.take(needed * 2**20), "something was not given back"
