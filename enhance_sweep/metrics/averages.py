"""torchmetrics classes over the per-image metrics, so that Lightning and others can accumulate them."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from enhance_sweep.metrics.ms_ssim import ms_ssim
from enhance_sweep.metrics.psnr import psnr


class MeanPSNR(Metric):
    """The mean over images of each image's PSNR in dB, as the 2018 challenge averages.

    Outputs are clipped to [0, 1] here: that is part of the protocol. Identical pairs have an infinite PSNR; they are
    left out of the mean and counted in `identical_pairs`. Pooling the squares of a whole batch first, as torchmetrics'
    own PSNR does, gives another number.

    `compute()` is NaN where no image with a finite PSNR was seen.
    """

    higher_is_better = True
    is_differentiable = False
    full_state_update = False
    total: Tensor
    images: Tensor
    identical_pairs: Tensor

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.add_state("total", default=torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("images", default=torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("identical_pairs", default=torch.tensor(0), dist_reduce_fx="sum")

    def update(self, enhanced: Tensor, target: Tensor) -> None:
        """Add a batch: (N, 3, H, W) twice, in [0, 1]."""
        scores = psnr(enhanced.clamp(0, 1), target)
        identical = torch.isposinf(scores)
        self.total += scores[~identical].sum()
        self.images += scores.numel()
        self.identical_pairs += identical.sum()

    def compute(self) -> Tensor:
        """The mean over the images that are not identical to their target, in dB."""
        return self.total / (self.images - self.identical_pairs)


class MeanMSSSIM(Metric):
    """The mean over images of each image's MS-SSIM, of outputs as they are (unclipped), as the challenge averages.

    The DPED training log pools each scale over a batch first, which scores slightly higher. NaN where an image has a
    negative mean contrast.
    """

    higher_is_better = True
    is_differentiable = False
    full_state_update = False
    total: Tensor
    images: Tensor

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.add_state("total", default=torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("images", default=torch.tensor(0), dist_reduce_fx="sum")

    def update(self, enhanced: Tensor, target: Tensor) -> None:
        """Add a batch: (N, 3, H, W) twice, in [0, 1]."""
        scores = ms_ssim(enhanced, target)
        self.total += scores.sum()
        self.images += scores.numel()

    def compute(self) -> Tensor:
        """The mean over all images."""
        return self.total / self.images
