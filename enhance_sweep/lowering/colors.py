"""Color matrices for whole images, for channels-last memory: one convolution with a kernel of a single pixel."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhance_sweep.models.color_matrix import GlobalColor, mixed
from enhance_sweep.models.tone import ToneGenerator


def convolve(network: nn.Module) -> nn.Module:
    """Replace the parts that apply one color matrix to an image, in place; give the network, which may be one."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is GlobalColor:
                setattr(parent, name, _GlobalColor(child))
    return _Tone(network) if type(network) is ToneGenerator else network


class _GlobalColor(nn.Module):
    """`GlobalColor` with one pass over the image behind its statistics."""

    def __init__(self, layer: GlobalColor) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, input: Tensor) -> Tensor:
        """(N, 3, H, W) to the same."""
        layer = self.layer
        return changed(input, layer.matrix(layer.hidden(layer.statistics(input))))


class _Tone(nn.Module):
    """`ToneGenerator`; of its curves, what is the same for all pixels is computed first."""

    def __init__(self, network: ToneGenerator) -> None:
        super().__init__()
        self.network = network
        self.multiple = network.multiple

    def forward(self, input: Tensor) -> Tensor:
        """(N, 3, H, W) to the same."""
        network = self.network
        hidden = network.hidden(network.statistics(input))
        terms = network.curves(hidden)
        bend = terms[:, 3 * network.terms - 3 :]
        for number in range(network.terms - 2, -1, -1):  # Horner's rule
            bend = torch.addcmul(terms[:, 3 * number : 3 * number + 3], bend, input)
        curved = torch.addcmul(input, bend, torch.addcmul(input, input, input, value=-1))
        return changed(curved, network.matrix(hidden))


def changed(image: Tensor, matrix: Tensor) -> Tensor:
    """An image plus what a color matrix makes of it.

    Args:
        image: (N, 3, H, W).
        matrix: (N, 12, 1, 1), as for `enhance_sweep.models.color_matrix.mixed`.
    """
    if image.shape[0] > 1 or image.is_contiguous():
        return image + mixed(image, matrix)
    numbers = matrix.reshape(4, 3)
    kernel = numbers[:3].T + torch.eye(3, dtype=image.dtype, device=image.device)
    return F.conv2d(image, kernel[:, :, None, None], numbers[3])
