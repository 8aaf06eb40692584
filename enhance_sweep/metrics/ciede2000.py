"""The color difference CIEDE2000."""

import math

import torch
from torch import Tensor

from enhance_sweep.metrics.colors import lab
from enhance_sweep.metrics.images import check_pair

#: Pixels at once: about fifty maps of so many in float64 fit into a processor's cache.
_AT_ONCE = 16384

#: Hues that are opposite, but for rounding, have the mean that Eq. 14 gives them.
_OPPOSITE = 1e-12


def ciede2000(enhanced: Tensor, target: Tensor) -> Tensor:
    """The mean CIEDE2000 difference of each image's pixels, for sRGB in [0, 1] (Sharma, Wu and Dalal 2005).

    The colors of equal pixels are compared under D65, with weights of 1 (kL, kC and kH). A difference of about 1 can
    just be seen, side by side, in large patches. Symmetric.

    Args:
        enhanced: (N, 3, H, W).
        target: the same shape.

    Returns:
        (N,), from 0, in float64; 100 between black and white, at most about 119. Lower is better: 0, exactly, for
        identical images.

    Raises:
        ValueError: the shapes differ or are not (N, 3, H, W).

    Example:
        >>> ciede2000(torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4))
        tensor([100.0000], dtype=torch.float64)
    """
    check_pair(enhanced, target, "ciede2000")
    first, second = enhanced.flatten(2), target.flatten(2)
    at_once = max(1, _AT_ONCE // len(first))
    total = torch.zeros(len(first), dtype=torch.float64, device=first.device)
    for pixels1, pixels2 in zip(*(torch.split(images, at_once, dim=2) for images in (first, second)), strict=True):
        total += color_difference(lab(pixels1.double()), lab(pixels2.double())).sum(dim=1)
    return total / first.shape[2]


def color_difference(first: Tensor, second: Tensor) -> Tensor:
    """CIEDE2000 between colors in CIE Lab, (N, 3, ...) twice to (N, ...): Sharma, Wu and Dalal 2005, Eq. 2 to 22."""
    (light1, a1, b1), (light2, a2, b2) = first.unbind(dim=1), second.unbind(dim=1)
    # Eq. 2 to 7. Grays look more alike than a* says: a* is stretched near the axis.
    stretch = 1.5 - 0.5 * _saturating((torch.hypot(a1, b1) + torch.hypot(a2, b2)) / 2)
    a1, a2 = a1 * stretch, a2 * stretch
    chroma1, chroma2 = torch.hypot(a1, b1), torch.hypot(a2, b2)
    hue1, hue2 = _hue(a1, b1), _hue(a2, b2)
    # Eq. 8 to 14. Hues are angles: their difference goes the short way round, their mean lies on it. A gray has no hue.
    turn = hue2 - hue1
    turn = torch.where(turn.abs() > math.pi + _OPPOSITE, turn - 2 * math.pi * turn.sign(), turn)
    colorless = chroma1 * chroma2 == 0
    hue = torch.where(colorless, hue1 + hue2, hue1 + turn / 2)
    lightness_change = light2 - light1
    chroma_change = chroma2 - chroma1
    hue_change = (2 * (chroma1 * chroma2).sqrt() * torch.sin(turn / 2)).where(~colorless, 0.0)
    lightness, chroma = (light1 + light2) / 2, (chroma1 + chroma2) / 2
    # Eq. 15 to 21: how much of each can just be seen.
    from_gray = (lightness - 50).square()
    lightness_scale = 1 + 0.015 * from_gray / (20 + from_gray).sqrt()
    chroma_scale = 1 + 0.045 * chroma
    hue_scale = 1 + 0.015 * chroma * _of_hue(hue)
    # In the blue, hue and chroma are not independent. The hue may be off by whole turns.
    from_blue = hue - math.radians(275)
    from_blue = torch.rad2deg(from_blue - 2 * math.pi * torch.round(from_blue / (2 * math.pi)))
    blue = -2 * _saturating(chroma) * torch.sin(math.radians(60) * torch.exp(-(from_blue / 25).square()))
    # Eq. 22.
    by_lightness = lightness_change / lightness_scale
    by_chroma, by_hue = chroma_change / chroma_scale, hue_change / hue_scale
    squares = by_lightness.square() + by_chroma.square() + by_hue.square() + blue * by_chroma * by_hue
    return squares.clamp_min(0).sqrt()


def _hue(a: Tensor, b: Tensor) -> Tensor:
    """The angle of a color, from 0 to a whole turn; 0 for a gray."""
    angle = torch.atan2(b, a)
    return torch.where(angle < 0, angle + 2 * math.pi, angle)


def _saturating(chroma: Tensor) -> Tensor:
    """From 0 for grays to 1 for strong colors, half of it in powers at a chroma of 25."""
    seventh = chroma**7
    return (seventh / (seventh + 25.0**7)).sqrt()


def _of_hue(hue: Tensor) -> Tensor:
    """T of Eq. 15: how the tolerance of hue depends on the hue."""
    return (
        1
        - 0.17 * torch.cos(hue - math.radians(30))
        + 0.24 * torch.cos(2 * hue)
        + 0.32 * torch.cos(3 * hue + math.radians(6))
        - 0.20 * torch.cos(4 * hue - math.radians(63))
    )
