"""Convolutions that learn in branches and run as one (after Zhang et al. 2021, ECBSR).

While training, a kernel is a sum: itself, a 1x1 kernel, and 1x1 kernels times fixed edge filters. The sum of such
convolutions is one convolution with the sum of their kernels, so a training step costs hardly more, and what is scored,
timed and exported has no branches.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from enhance_sweep.models.blocks import Conv2d

#: Of the largest difference between a network and itself folded, which rounding makes.
_TOLERANCE = 1e-4
#: A photograph's side on which the fold is checked; odd, and large enough for every kernel.
_CHECKED_SIDE = 37

_SOBEL = torch.tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]]) / 8
_LAPLACIAN = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]]) / 8
_DELTA = torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])


class _Branches(nn.Module):
    """(O, I, k, k) to the same, plus what the branches add; they start at zero."""

    filters: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        outputs, inputs, height, width = weight.shape
        filters = torch.zeros(4, height, width, device=weight.device)
        top, left = (height - 1) // 2 - 1, (width - 1) // 2 - 1  # the middle of "same" padding
        for number, kernel in enumerate((_DELTA, _SOBEL, _SOBEL.T, _LAPLACIAN)):
            filters[number, top : top + 3, left : left + 3] = kernel
        self.register_buffer("filters", filters, persistent=False)
        self.mixes = nn.Parameter(torch.zeros(4, outputs, inputs, device=weight.device))

    def forward(self, weight: Tensor) -> Tensor:
        """The kernel that the branches together are."""
        return weight + torch.einsum("fhw,foi->oihw", self.filters, self.mixes)


def grow(network: nn.Module) -> None:
    """Give every convolution of at least 3x3 its branches, in place; the network computes what it did.

    Depthwise and other grouped convolutions are left as they are.
    """
    for layer in list(network.modules()):
        if isinstance(layer, Conv2d) and min(layer.kernel_size) >= 3 and layer.groups == 1:
            parametrize.register_parametrization(layer, "weight", _Branches(layer.weight))


@torch.no_grad()
def fold(network: nn.Module) -> None:
    """Make each convolution one kernel again, in place, and check that the network still computes the same.

    Raises:
        ArithmeticError: it does not.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, Conv2d) and parametrize.is_parametrized(layer)]
    if not layers:
        return
    image = torch.rand(1, 3, _CHECKED_SIDE, _CHECKED_SIDE, generator=torch.Generator().manual_seed(0))
    image = image.to(layers[0].weight.device)
    before = network(image)
    for layer in layers:
        kernel = layer.weight.clone()
        # torch's own removal would take `weight` from the class, which copies of the network share.
        layer.__class__ = type(layer).__bases__[0]
        del layer.parametrizations
        layer.weight = nn.Parameter(kernel)
    difference = (network(image) - before).abs().max().item()
    if not difference <= _TOLERANCE:
        raise ArithmeticError(
            f"a network folded differs from itself by {difference:.2g}, expected {_TOLERANCE:g} at most"
        )
