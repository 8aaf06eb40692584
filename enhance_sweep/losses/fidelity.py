"""Fidelity: plain distances to the target, for budgets too short for a discriminator."""

from torch import Tensor, nn
from torch.nn import functional as F

from enhance_sweep.metrics import ms_ssim

#: Early in training a scale's mean contrast can be negative, and its power NaN: the loss clamps it here.
_SMALLEST_CONTRAST = 1e-3


class L1Loss(nn.Module):
    """Mean absolute difference: (N, C, H, W) twice to a scalar."""

    def forward(self, enhanced: Tensor, target: Tensor) -> Tensor:
        """The mean over all values."""
        return F.l1_loss(enhanced, target)


class MSELoss(nn.Module):
    """Mean squared difference: (N, C, H, W) twice to a scalar."""

    def forward(self, enhanced: Tensor, target: Tensor) -> Tensor:
        """The mean over all values."""
        return F.mse_loss(enhanced, target)


class MSSSIMLoss(nn.Module):
    """1 - MS-SSIM, the mean over images (Zhao et al. 2017): (N, 3, H, W) twice, in [0, 1], to a scalar."""

    def forward(self, enhanced: Tensor, target: Tensor) -> Tensor:
        """0 for identical images."""
        return (1 - ms_ssim(enhanced, target, minimum=_SMALLEST_CONTRAST).mean()).float()
