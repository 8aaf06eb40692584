"""Content: whether a network trained on ImageNet sees the same things in both images."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ContentLoss(nn.Module):
    """Mean squared difference of feature maps, times the features' `scale`.

    Summed and divided by C H W B, as the DPED code does (Ignatov et al. 2017; de Stoutz et al. 2018, Eq. 4).

    Args:
        features: (N, 3, H, W) in [0, 1] to feature maps (N, C, h, w); frozen by this class. Its attribute `scale`
            makes different networks' features comparable in size.
    """

    def __init__(self, features: nn.Module) -> None:
        super().__init__()
        self.features = features.eval().requires_grad_(False)
        self.scale = float(getattr(features, "scale", 1.0))

    def train(self, mode: bool = True) -> "ContentLoss":
        """A frozen network stays in evaluation mode: its batch norms must not learn from our patches."""
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, enhanced: Tensor, target: Tensor) -> Tensor:
        """(N, 3, H, W) twice, in [0, 1], to a scalar."""
        with torch.no_grad():
            wanted = self.features(target)
        distance = F.mse_loss(self.features(enhanced).float(), wanted.float())
        return distance * self.scale
