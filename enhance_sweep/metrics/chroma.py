"""Chroma: how much color an image has."""

from torch import Tensor


def chroma(images: Tensor) -> Tensor:
    """The root mean square of R, G and B around their mean, image by image.

    0 for a gray image. To pool images, average the squares: the chroma ratio of a network is the root of the outputs'
    mean square over the root of the targets'.

    Args:
        images: (N, 3, H, W), in [0, 1].

    Returns:
        (N,), in 0 to 0.48 (pure colors).
    """
    around_gray = images - images.mean(dim=1, keepdim=True)
    return around_gray.square().mean(dim=(1, 2, 3)).sqrt()
