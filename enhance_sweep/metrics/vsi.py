"""Visual saliency-induced index."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from enhance_sweep.metrics.colors import D50, lab, lmn
from enhance_sweep.metrics.downsampling import averaging_size
from enhance_sweep.metrics.gradients import SCHARR, gradient_magnitude
from enhance_sweep.metrics.images import check_pair
from enhance_sweep.metrics.similarity import dissimilarity, weighted_mean

#: The paper's constants, for colors in [0, 255]: of saliency, of gradients and of colors.
_C1, _C2, _C3 = 1.27, 386.0, 130.0

#: The powers of gradients and of colors beside saliency.
_ALPHA, _BETA = 0.4, 0.02

#: Saliency (SDSP, Zhang, Gu and Li 2013): the side of the image it is computed on, the frequency and the bandwidth of
#: its filter, how fast it falls from the middle, and how fast it rises with warm colors.
_SIDE, _FREQUENCY, _BANDWIDTH, _FALL, _WARMTH = 256, 0.021, 1.34, 145.0, 0.001

#: A map that varies by less than this is flat: what varies is rounding. One step of 8 bits is 0.2 of L* and more.
_FLAT = 0.01

#: How many images' saliency is computed at once.
_AT_ONCE = 8


def vsi(enhanced: Tensor, target: Tensor) -> Tensor:
    """VSI of each image, for values in [0, 1] (Zhang et al. 2014; piq 0.8.0).

    Saliency (what draws the eye), edges and opponent colors are compared pixel by pixel, each pixel weighted by the
    larger of the two images' saliencies. Where nothing is salient in either, as in two flat images, each pixel counts
    alike. A shorter side of 384 pixels or more is averaged to about 256 before edges and colors are compared.
    Symmetric.

    Args:
        enhanced: (N, 3, H, W), of at least 3x3 pixels.
        target: the same shape.

    Returns:
        (N,), in 0 to 1, in float64; photographs are mostly above 0.9. Higher is better: 1, within 1e-12, for identical
        images. The saliency is computed in float32, which changes scores by less than 1e-6.

    Raises:
        ValueError: the shapes differ, are not (N, 3, H, W), or are too small.

    Example:
        >>> image = torch.rand(1, 3, 100, 100)
        >>> vsi(image, image)
        tensor([1.], dtype=torch.float64)
    """
    check_pair(enhanced, target, "vsi")
    saliency1, saliency2 = (_averaged(_saliencies(images).double())[:, 0] for images in (enhanced, target))
    (light1, *colors1), (light2, *colors2) = (
        lmn(_averaged(images.double() * 255)).unbind(dim=1) for images in (enhanced, target)
    )
    edges1, edges2 = gradient_magnitude(light1, SCHARR), gradient_magnitude(light2, SCHARR)
    of_colors = torch.ones_like(light1)
    for color1, color2 in zip(colors1, colors2, strict=True):
        of_colors = of_colors * (1 - dissimilarity(color1, color2, _C3))
    similarity = (1 - dissimilarity(saliency1, saliency2, _C1)) * (1 - dissimilarity(edges1, edges2, _C2)) ** _ALPHA
    similarity = similarity * _real_power(of_colors, _BETA)
    return weighted_mean(similarity, torch.maximum(saliency1, saliency2))


def _real_power(values: Tensor, power: float) -> Tensor:
    """The real part of a power: colors that are each other's opposites have a negative similarity."""
    return values.abs() ** power * torch.where(values < 0, math.cos(math.pi * power), 1.0)


def _averaged(maps: Tensor) -> Tensor:
    """Averaged to a shorter side of about 256 pixels; the edges repeat."""
    size = averaging_size(*maps.shape[-2:])
    if size == 1:
        return maps
    before, after = size // 2, (size - 1) // 2
    return F.avg_pool2d(F.pad(maps, (before, after, before, after), mode="replicate"), size)


def _saliencies(images: Tensor) -> Tensor:
    """How salient each pixel is, (N, 3, H, W) to (N, 1, H, W) in [0, 1]; 0 in an image where nothing is."""
    return torch.cat([_saliency(part) for part in torch.split(images.float(), _AT_ONCE)])


def _saliency(images: Tensor) -> Tensor:
    colors = lab(F.interpolate(images, size=(_SIDE, _SIDE), mode="bilinear", align_corners=False), D50)
    # The filter lets no mean through; without it, float32 keeps more of the rest.
    spectrum = torch.fft.rfft2(colors - colors.mean(dim=(2, 3), keepdim=True)) * _log_gabor(images)
    detail = torch.fft.irfft2(spectrum, s=(_SIDE, _SIDE)).square().sum(dim=1, keepdim=True).sqrt()
    warm = _stretched(colors[:, 1:]).square().sum(dim=1, keepdim=True)
    salient = detail * _near_the_middle(images) * -torch.expm1(-warm / _WARMTH**2)
    return _stretched(F.interpolate(salient, size=images.shape[-2:], mode="bilinear", align_corners=True))


def _stretched(maps: Tensor) -> Tensor:
    """Each map's values from 0 to 1; a flat map gives 0."""
    least, most = maps.amin(dim=(2, 3), keepdim=True), maps.amax(dim=(2, 3), keepdim=True)
    spread = most - least
    return ((maps - least) / spread).where(spread > _FLAT, 0.0)


def _log_gabor(like: Tensor) -> Tensor:
    """A band-pass filter for `rfft2`, (256, 129): a bell over the logarithm of the frequency."""
    down = torch.fft.fftfreq(_SIDE, dtype=like.dtype, device=like.device)
    across = torch.fft.rfftfreq(_SIDE, dtype=like.dtype, device=like.device)
    frequency = torch.hypot(down[:, None], across)
    passed = torch.exp(-(torch.log(frequency / _FREQUENCY) ** 2) / (2 * _BANDWIDTH**2))
    return passed.where((frequency > 0) & (frequency <= 0.5), 0.0)


def _near_the_middle(like: Tensor) -> Tensor:
    """(256, 256): 1 in the middle, less towards the edges."""
    place = torch.arange(_SIDE, dtype=like.dtype, device=like.device) - (_SIDE // 2 - 1)
    bell = torch.exp(-place.square() / _FALL**2)
    return bell[:, None] * bell
