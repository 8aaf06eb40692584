"""How metrics shrink an image to what an eye sees from a usual distance."""

from torch import Tensor
from torch.nn import functional as F

#: MDSI and VSI average an image until its shorter side is about this long (Wang's recommendation for SSIM).
_SHORTER_SIDE = 256


def halved(images: Tensor) -> Tensor:
    """(N, C, H, W) to (N, C, ceil(H / 2), ceil(W / 2)): means of 2x2 pixels; an odd edge is averaged with zeros."""
    height, width = images.shape[-2:]
    return F.avg_pool2d(F.pad(images, (0, width % 2, 0, height % 2)), 2)


def averaging_size(height: int, width: int) -> int:
    """The side of the squares whose means leave a shorter side of about 256 pixels; 1: leave the image as it is."""
    return max(1, round(min(height, width) / _SHORTER_SIDE))
