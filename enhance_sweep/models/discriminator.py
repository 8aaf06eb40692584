"""The network that judges texture."""

from torch import Tensor, nn
from torch.nn import functional as F

from enhance_sweep.models.blocks import Conv2d, check_at_least, initialise
from enhance_sweep.models.instance_norm import InstanceNorm2d

#: Filters, kernel size and stride of each convolution (Ignatov et al. 2017).
_CONVOLUTIONS = [(48, 11, 4), (128, 5, 2), (192, 3, 1), (192, 3, 1), (128, 3, 2)]
_HIDDEN = 1024
_LEAK = 0.2


class Discriminator(nn.Module):
    """Tells enhanced patches from targets by texture alone: it sees them in gray (Ignatov et al. 2017).

    ::

        gray (1) -> 11x11/4 conv 48, lrelu -> 5x5/2 conv 128, lrelu, norm -> 3x3 conv 192, lrelu, norm
                 -> 3x3 conv 192, lrelu, norm -> 3x3/2 conv 128, lrelu, norm -> linear 1024, lrelu -> linear 2

    (N, 1, patch_size, patch_size) to (N, 2): logits of "enhanced" and "target" before the softmax.

    Args:
        patch_size: side of its square patches; the linear layer fits no other size. 100 in the paper.

    Raises:
        ValueError: `patch_size` is not positive.
    """

    def __init__(self, patch_size: int = 100) -> None:
        super().__init__()
        check_at_least(1, patch_size=patch_size)
        layers: list[nn.Module] = []
        channels, side = 1, patch_size
        for filters, kernel_size, stride in _CONVOLUTIONS:
            layers += [Conv2d(channels, filters, kernel_size, stride), nn.LeakyReLU(_LEAK)]
            layers += [InstanceNorm2d(filters)] if channels > 1 else []
            channels, side = filters, -(-side // stride)
        self.features = nn.Sequential(*layers)
        self.hidden = nn.Linear(channels * side * side, _HIDDEN)
        self.verdict = nn.Linear(_HIDDEN, 2)
        for layer in (self.hidden, self.verdict):
            initialise(layer)

    def forward(self, gray: Tensor) -> Tensor:
        """Judge a batch of gray patches."""
        hidden = F.leaky_relu(self.hidden(self.features(gray).flatten(1)), _LEAK)
        logits: Tensor = self.verdict(hidden)
        return logits
