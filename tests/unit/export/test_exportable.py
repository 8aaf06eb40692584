"""Networks in the form that exporters take give what the networks themselves give, at every size."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from enhance_sweep.export.exportable import for_any_size, for_multiples, multiple_of
from enhance_sweep.models import PlainGenerator, StridedGenerator
from enhance_sweep.models.blocks import Conv2d
from tests.unit.export.networks import NETWORKS


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
