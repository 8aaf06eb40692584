"""Content: the distance of two images in the features of a network trained on ImageNet."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: Bytes of targets' features that may be kept: those of all targets in a small data set, of the first in a large one.
_KEPT = 2**30


class ContentLoss(nn.Module):
    """Mean squared difference of feature maps, times the features' `scale`.

    Summed and divided by C H W B, as the DPED code does (Ignatov et al. 2017; de Stoutz et al. 2018, Eq. 4).

    Args:
        features: (N, 3, H, W) in [0, 1] to feature maps (N, C, h, w); frozen by this class. Its attribute `scale`
            makes different networks' features comparable in size; `smallest` is the smallest side of an image it takes.

    Raises:
        ValueError: when called with smaller images.
    """

    def __init__(self, features: nn.Module) -> None:
        super().__init__()
        self.features = features.eval().requires_grad_(False)
        self.scale = float(getattr(features, "scale", 1.0))
        self.smallest = int(getattr(features, "smallest", 1))
        self._kept: dict[int, Tensor] = {}
        self._room = _KEPT

    def train(self, mode: bool = True) -> "ContentLoss":
        """Keep the frozen network in evaluation mode: its batch norms must not learn from our patches."""
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, enhanced: Tensor, target: Tensor, patches: Sequence[int] | None = None) -> Tensor:
        """(N, 3, H, W) twice, in [0, 1], to a scalar.

        Where targets recur, `patches` numbers them, so that the features of each are computed once.
        """
        height, width = target.shape[-2:]
        if min(height, width) < self.smallest:
            raise ValueError(
                f"the content network takes images of at least {self.smallest}x{self.smallest}, got {width}x{height}: "
                f"set trainer.crop_size={self.smallest} or more, or take a loss without content"
            )
        with torch.no_grad():
            wanted = self.features(target) if patches is None else self._of_known(target, patches)
        distance = F.mse_loss(self.features(enhanced).float(), wanted.float())
        return distance * self.scale

    def _of_known(self, target: Tensor, patches: Sequence[int]) -> Tensor:
        """The targets' features; those kept from earlier steps are not computed again."""
        new = [index for index, patch in enumerate(patches) if patch not in self._kept]
        computed = self.features(target[new]) if new else target[:0]
        found = {patches[index]: features for index, features in zip(new, computed, strict=True)}
        for patch, features in found.items():
            size = features.numel() * features.element_size()
            if size <= self._room:
                self._kept[patch] = features.clone()  # not a view, which would keep its whole batch
                self._room -= size
        return torch.stack([found[patch] if patch in found else self._kept[patch] for patch in patches])
