import pytest
import torch
from torch import nn

from enhance_sweep.lowering import lowered
from enhance_sweep.lowering.few_channels import ToFewChannels
from enhance_sweep.models.blocks import Conv2d

SIZES = [(37, 41), (1, 1), (2, 3), (16, 24), (5, 4)]


@pytest.mark.parametrize(("outputs", "kernel_size"), [(3, 9), (3, 4), (3, 3), (3, 2), (1, 3), (2, (3, 7)), (1, (2, 4))])
@pytest.mark.parametrize("size", SIZES)
def test_it_gives_what_the_convolution_gives(outputs, kernel_size, size):
    torch.manual_seed(0)
    layer = Conv2d(5, outputs, kernel_size)
    nn.init.normal_(layer.weight)
    images = torch.rand(2, 5, *size)
    assert ToFewChannels.is_faster(layer)
    torch.testing.assert_close(ToFewChannels(layer)(images), layer(images), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("settings", [{"padding": "same"}, {"padding": 1}, {"padding": (1, 1), "bias": False}])
def test_torchs_own_convolutions_are_taken_too(settings):
    layer = nn.Conv2d(4, 3, 3, **settings)
    images = torch.rand(1, 4, 7, 9)
    network = lowered(nn.Sequential(layer))
    assert isinstance(network[0], ToFewChannels)
    torch.testing.assert_close(network(images), layer(images))


@pytest.mark.parametrize(
    "layer",
    [
        Conv2d(8, 3, 1),  # nothing to gain
        Conv2d(8, 16, 3),
        Conv2d(8, 3, 3, stride=2),
        Conv2d(8, 3, 3, dilation=2),
        Conv2d(3, 3, 3, groups=3),
        nn.Conv2d(8, 3, 3),  # smaller result
        nn.Conv2d(8, 3, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(8, 3, 4, padding=2),
    ],
)
def test_others_stay(layer):
    assert not ToFewChannels.is_faster(layer)
