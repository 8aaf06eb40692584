"""Gradient magnitude similarity deviation."""

from torch import Tensor

from enhance_sweep.metrics.colors import luma
from enhance_sweep.metrics.downsampling import halved
from enhance_sweep.metrics.gradients import PREWITT, gradient_magnitude
from enhance_sweep.metrics.images import check_pair
from enhance_sweep.metrics.similarity import dissimilarity

#: The paper's constant for gradients of values in [0, 255].
_CONSTANT = 170 / 255**2


def gmsd(enhanced: Tensor, target: Tensor) -> Tensor:
    """GMSD of each image, for values in [0, 1] (Xue et al. 2014; piq 0.8.0).

    How unevenly edges are kept: gradients of the halved brightness are compared pixel by pixel, and the score is the
    standard deviation of their similarity. It sees no color, and a fault that is the same everywhere hardly shows.
    Symmetric.

    Args:
        enhanced: (N, 3, H, W), of at least 5x5 pixels.
        target: the same shape.

    Returns:
        (N,), in 0 to 0.5, in float64. Lower is better: 0, exactly, for identical images.

    Raises:
        ValueError: the shapes differ, are not (N, 3, H, W), or are too small.

    Example:
        >>> image = torch.rand(1, 3, 100, 100)
        >>> gmsd(image, image)
        tensor([0.], dtype=torch.float64)
    """
    check_pair(enhanced, target, "gmsd")
    first, second = (
        gradient_magnitude(halved(luma(images.double())[:, None])[:, 0], PREWITT) for images in (enhanced, target)
    )
    return dissimilarity(first, second, _CONSTANT).flatten(1).std(dim=1, correction=0)
