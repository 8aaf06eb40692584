"""Networks in the form that exporters take give what the networks themselves give, at every size."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from enhance_sweep.export.exportable import for_any_size, for_multiples, multiple_of
from enhance_sweep.export.formats import ExportError, format_of
from enhance_sweep.models import PlainGenerator, ShuffledGenerator, StridedGenerator, UNetGenerator
from enhance_sweep.models.blocks import Conv2d
from enhance_sweep.models.instance_norm import InstanceNorm2d
from enhance_sweep.models.statistics import ChannelMoments
from tests.unit.export.networks import NETWORKS
from tests.unit.models.made_up_topologies import Pooled


def enhanced(network: nn.Module, height: int, width: int) -> torch.Tensor:
    photo = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        result: torch.Tensor = network(photo)
        return result


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [(16, 24), (17, 24), (16, 23), (18, 22), (19, 21)], ids=str)
def test_any_size_gives_the_same(name: str, size: tuple[int, int]) -> None:
    network = NETWORKS[name]()
    torch.testing.assert_close(enhanced(for_any_size(network), *size), enhanced(network, *size), rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_multiples_give_the_same(name: str) -> None:
    network = NETWORKS[name]()
    multiple = multiple_of(network)
    for size in ((2 * multiple, 3 * multiple), (5 * multiple, 7 * multiple)):
        torch.testing.assert_close(enhanced(for_multiples(network), *size), enhanced(network, *size), rtol=0, atol=2e-6)


def test_the_network_itself_stays_as_it_is() -> None:
    network = NETWORKS["strided"]()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    layers = [type(layer) for layer in network.modules()]
    copy = for_any_size(network)
    with torch.no_grad():
        for parameter in copy.parameters():
            parameter.zero_()
    assert [type(layer) for layer in network.modules()] == layers
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("form", [for_any_size, for_multiples])
def test_weights_lie_as_converters_read_them(form: Callable[[nn.Module], nn.Module]) -> None:
    network: nn.Module = NETWORKS["strided"]().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert any(not weight.is_contiguous() for weight in network.parameters())
    assert all(weight.is_contiguous() for weight in form(network).parameters())


def test_a_flat_picture_is_normed_without_cancelling() -> None:
    """Where all values are alike, a variance computed as E[x^2] - E[x]^2 is noise."""
    network = PlainGenerator(kernel_size=3, channels=4, blocks=1).eval()
    photo = torch.full((1, 3, 16, 16), 0.9)
    with torch.inference_mode():
        torch.testing.assert_close(for_multiples(network)(photo), network(photo), rtol=0, atol=1e-5)


def test_a_layer_that_cannot_be_exported_is_named() -> None:
    network = StridedGenerator(kernel_size=3, strided_kernel_size=4, channels=4)
    for parent in network.modules():
        for name, child in list(parent.named_children()):
            if isinstance(child, Conv2d) and child.stride[0] == 2:
                setattr(parent, name, Conv2d(child.in_channels, child.out_channels, 2, stride=3))
    with pytest.raises(ValueError, match=r"2x2 convolution of stride 3x3.*expected a kernel that is no smaller"):
        for_any_size(network)


# --- layers of any kernel ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"kernel_size": (1, 7)},
        {"kernel_size": (7, 1), "dilation": 2},
        {"kernel_size": (4, 3), "dilation": 3},
        {"kernel_size": 3, "groups": 4},
        {"kernel_size": 2, "dilation": 2, "groups": 2},
        {"kernel_size": 4, "stride": 4},
        {"kernel_size": 5, "stride": 4},
        {"kernel_size": (5, 4), "stride": 3},
        {"kernel_size": 2, "stride": 2, "dilation": 3, "groups": 4},
        {"kernel_size": (3, 5), "stride": 2},
    ],
    ids=str,
)
def test_any_convolution_gives_the_same(settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    layer = Conv2d(4, 4, **settings)
    network = nn.Sequential(layer).eval()
    for height, width in ((12, 24), (13, 14), (15, 17), (1, 1), (2, 5)):
        photo = torch.rand(1, 4, height, width)
        with torch.inference_mode():
            wanted = network(photo)
            torch.testing.assert_close(for_any_size(network)(photo), wanted, rtol=0, atol=2e-6)
            if height % layer.stride[0] == width % layer.stride[1] == 0:
                torch.testing.assert_close(for_multiples(network)(photo), wanted, rtol=0, atol=2e-6)


@pytest.mark.parametrize("form", [for_any_size, for_multiples])
@pytest.mark.parametrize(
    "layer", [InstanceNorm2d(4, 4), InstanceNorm2d(4), ChannelMoments(4), ChannelMoments(1)], ids=str
)
def test_statistics_of_some_pixels_give_the_same(form: Callable[[nn.Module], nn.Module], layer: nn.Module) -> None:
    network = nn.Sequential(layer)
    for height, width in ((12, 24), (13, 14), (5, 4), (1, 1)):
        photo = torch.rand(2, 4, height, width) * 0.1 + 0.9
        with torch.inference_mode():
            torch.testing.assert_close(form(network)(photo), network(photo), rtol=0, atol=1e-4)


# --- the sides that a restricted format takes -------------------------------------------------------------------------


def test_a_restricted_format_asks_the_network_for_its_multiple() -> None:
    litert, onnx = format_of("litert", "fp32"), format_of("onnx", "fp32")
    assert onnx.sides(Pooled()).are_any
    pooled = litert.sides(Pooled())
    assert (pooled.multiple, pooled.smallest, pooled.largest) == (8, 16, 4096)
    assert [pooled.within(side) for side in (60, 100, 16, 5000)] == [56, 96, 16, 4096]
    # A network that shrinks its photograph to an eighth is right at 56 and wrong at 60, whatever size it gives.
    assert litert.sides(PlainGenerator()).within(61) == 61
    assert format_of("executorch", "fp32").sides(ShuffledGenerator(factor=3)).largest == 1278


def test_statistics_of_every_fourth_pixel_need_two_of_them() -> None:
    assert format_of("litert", "fp32").sides(UNetGenerator(depth=2)).smallest == 40
    assert format_of("litert", "fp32").sides(UNetGenerator(depth=2, global_vector=False)).smallest == 16


def test_a_photograph_that_is_too_small_is_told_what_takes_it() -> None:
    with pytest.raises(ExportError, match=r"15 pixels is too short: .*multiples of 8 from 16 on; onnx"):
        format_of("litert", "fp32").sides(Pooled()).within(15)


@pytest.mark.parametrize("multiple", [None, 0, 1.5])
def test_a_network_that_does_not_say_its_multiple_is_told_to(multiple: Any) -> None:
    class Silent(nn.Module):
        pass

    network = Silent()
    if multiple is not None:
        network.multiple = multiple
    with pytest.raises(ExportError, match=r"Silent does not say .*attribute `multiple`"):
        format_of("litert", "fp32").sides(network)
    assert format_of("onnx", "fp32").sides(network).are_any
