"""Texture: whether a discriminator mistakes enhanced patches for a real camera's."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhance_sweep.models import Discriminator

#: Weights of red, green and blue in gray (Ignatov et al. 2017).
GRAY_WEIGHTS = (0.2989, 0.5870, 0.1140)

#: Probabilities are clipped here before the logarithm (DPED code).
_SMALLEST_PROBABILITY = 1e-10

_ENHANCED, _TARGET = 0, 1


class TextureLoss(nn.Module):
    """The adversarial term, with the discriminator that it is played against (de Stoutz et al. 2018, Eq. 5).

    It has the DPED code's form: the generator's loss is minus the cross-entropy of a discriminator that sees only
    enhanced patches. So it is at most 0, and falls as the generator deceives the discriminator.

    Args:
        patch_size: side of the square patches, in pixels.
        reduction: over the batch: `sum`, as in the DPED code, or `mean`.

    Raises:
        ValueError: another reduction.
    """

    #: It compares with no target: a teacher adds nothing to it.
    ignores_target = True

    def __init__(self, patch_size: int, reduction: Literal["mean", "sum"] = "mean") -> None:
        super().__init__()
        if reduction not in ("mean", "sum"):
            raise ValueError(f"texture: expected reduction mean or sum, got {reduction!r}")
        self.discriminator = Discriminator(patch_size)
        self.reduction = reduction

    def forward(self, enhanced: Tensor, target: Tensor) -> Tensor:
        """The generator's loss: (N, 3, H, W) in [0, 1] to a scalar; the target does not matter."""
        return -self._cross_entropy(enhanced, torch.full((enhanced.shape[0],), _ENHANCED, device=enhanced.device))

    def discriminator_loss(self, enhanced: Tensor, target: Tensor, shown_target: Tensor) -> Tensor:
        """The discriminator's loss on a mixed batch.

        Args:
            enhanced: (N, 3, H, W); it gets no gradient.
            target: (N, 3, H, W).
            shown_target: (N,), bool: whether the discriminator sees the target, at random for each patch.
        """
        shown = torch.where(shown_target.view(-1, 1, 1, 1), target, enhanced.detach())
        return self._cross_entropy(shown, shown_target.long())

    def of_both_players(
        self, enhanced: Tensor, target: Tensor, shown_target: Tensor, weight: float
    ) -> tuple[Tensor, Tensor]:
        """The discriminator's loss and the generator's, from one pass of the discriminator.

        The generator's loss is that of the enhanced patches among those shown, which stand for all. One backward pass
        of the discriminator's loss gives both players their gradients: where it reaches `enhanced` it is reversed (as
        in Ganin and Lempitsky 2015) and equals the gradient of `weight` times the generator's loss.

        Args:
            enhanced: (N, 3, H, W).
            target: (N, 3, H, W).
            shown_target: (N,), bool: whether the discriminator sees the target, at random for each patch.
            weight: of the generator's loss.

        Returns:
            The discriminator's loss, to differentiate, and the generator's value, detached.
        """
        # How many patches each enhanced one stands for. Without any, the generator learns no texture in this step.
        share = shown_target.numel() / (~shown_target).sum().clamp(min=1)
        reversed_ = enhanced.detach() + -weight * share * (enhanced - enhanced.detach())
        shown = torch.where(shown_target.view(-1, 1, 1, 1), target, reversed_)
        entropies = self._cross_entropies(shown, shown_target.long())
        of_enhanced = torch.where(shown_target, 0.0, entropies.detach())
        return self._reduced(entropies), -share * self._reduced(of_enhanced)

    def _cross_entropy(self, patches: Tensor, is_target: Tensor) -> Tensor:
        return self._reduced(self._cross_entropies(patches, is_target))

    def _cross_entropies(self, patches: Tensor, is_target: Tensor) -> Tensor:
        logits = self.discriminator(to_gray(patches)).float()
        probabilities = F.softmax(logits, dim=1).gather(1, is_target.view(-1, 1)).squeeze(1)
        return -torch.log(probabilities.clamp(_SMALLEST_PROBABILITY, 1.0))

    def _reduced(self, entropies: Tensor) -> Tensor:
        return entropies.sum() if self.reduction == "sum" else entropies.mean()


def to_gray(images: Tensor) -> Tensor:
    """(N, 3, H, W) to (N, 1, H, W)."""
    weights = images.new_tensor(GRAY_WEIGHTS).view(1, 3, 1, 1)
    return (images * weights).sum(dim=1, keepdim=True)
