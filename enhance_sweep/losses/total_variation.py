"""Total variation: how much neighbouring pixels differ."""

from torch import Tensor, nn


class TotalVariationLoss(nn.Module):
    """Mean squared difference of horizontal neighbours plus that of vertical ones.

    The DPED code's form (Ignatov et al. 2017; de Stoutz et al. 2018, Eq. 6): squared differences are summed, then
    divided by their number per image and by the batch size.
    """

    #: A teacher adds nothing to it.
    ignores_target = True

    def forward(self, enhanced: Tensor, target: Tensor) -> Tensor:
        """(N, C, H, W), both sides at least 2, to a scalar; the target does not matter."""
        across = enhanced[..., :, 1:] - enhanced[..., :, :-1]
        down = enhanced[..., 1:, :] - enhanced[..., :-1, :]
        return across.square().mean() + down.square().mean()
