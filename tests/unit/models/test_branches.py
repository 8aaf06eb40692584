"""Branches while training, one kernel afterwards."""

import copy

import pytest
import torch
from torch.nn import functional as F

from enhance_sweep.models import SeparableGenerator, StridedGenerator, branches
from enhance_sweep.models.blocks import Conv2d


@pytest.mark.parametrize("make", [StridedGenerator, lambda: SeparableGenerator(cut="full", block_kernel_size=5)])
def test_branches_change_nothing_until_they_have_learned_and_nothing_when_folded(make: type[StridedGenerator]) -> None:
    torch.manual_seed(0)
    network, image = make(), torch.rand(1, 3, 20, 24)
    before = network(image)
    names = set(network.state_dict())
    branches.grow(network)
    torch.testing.assert_close(network(image), before)
    assert set(network.state_dict()) != names
    network(image).square().mean().backward()
    grown = [parameter for name, parameter in network.named_parameters() if name.endswith("mixes")]
    assert grown
    with torch.no_grad():
        for parameter in grown:
            assert parameter.grad is not None
            assert parameter.grad.any()
            parameter.normal_(std=0.05)
    learned = copy.deepcopy(network)(image)
    assert not torch.allclose(learned, before, atol=1e-4)
    twin = copy.deepcopy(network)
    branches.fold(network)
    torch.testing.assert_close(twin(image), learned)
    assert type(network) is type(twin)
    assert set(network.state_dict()) == names
    torch.testing.assert_close(network(image), learned, rtol=0, atol=1e-5)


def test_a_branch_is_a_1x1_convolution_behind_an_edge_filter() -> None:
    torch.manual_seed(0)
    layer = Conv2d(4, 6, 3)
    own, bias = layer.weight.detach().clone(), layer.bias
    branches.grow(layer)
    mixes = layer.parametrizations.weight[0].mixes  # type: ignore[union-attr, index]
    with torch.no_grad():
        mixes[2].normal_()  # type: ignore[index]
    image = torch.rand(1, 4, 9, 9)
    edges = torch.tensor([[1.0, 2.0, 1.0], [0.0, 0.0, 0.0], [-1.0, -2.0, -1.0]]).repeat(4, 1, 1, 1) / 8
    across = F.conv2d(F.conv2d(image, edges, padding=1, groups=4), mixes[2][:, :, None, None])  # type: ignore[index]
    torch.testing.assert_close(layer(image), F.conv2d(image, own, bias, padding=1) + across, rtol=0, atol=1e-5)


def test_a_fold_that_changes_the_network_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = Conv2d(3, 3, 3)
    branches.grow(layer)
    with torch.no_grad():
        layer.parametrizations.weight[0].mixes.normal_()  # type: ignore[union-attr, index]
    torch.manual_seed(0)
    monkeypatch.setattr(branches, "_TOLERANCE", -1.0)
    with pytest.raises(ArithmeticError, match="a network folded differs from itself"):
        branches.fold(layer)
