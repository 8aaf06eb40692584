"""Color spaces that metrics compute in."""

import torch
from torch import Tensor

#: Y, I and Q of R, G and B (NTSC 1953).
_YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))

#: L, M and N of R, G and B: a lightness and two opponent colors (Geusebroek et al. 2001).
_LMN = ((0.06, 0.63, 0.27), (0.30, 0.04, -0.35), (0.34, -0.60, 0.17))

#: X, Y and Z of linear R, G and B (IEC 61966-2-1, as scikit-image has it).
_XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))

#: X, Y and Z of white, for an observer of 2 degrees.
D50 = (0.96421199, 1.0, 0.82518828)
D65 = (0.95047, 1.0, 1.08883)

#: Where the cube root of CIE 1976 gives way to a line, and that line's slope.
_EPSILON, _KAPPA = 216 / 24389, 24389 / 27


def luma(images: Tensor) -> Tensor:
    """Y of YIQ: (N, 3, ...) to (N, ...)."""
    red, green, blue = images.unbind(dim=1)
    return _YIQ[0][0] * red + _YIQ[0][1] * green + _YIQ[0][2] * blue


def yiq(images: Tensor) -> Tensor:
    """Y, I and Q: (N, 3, ...) to the same shape."""
    return _mixed(images, _YIQ)


def lmn(images: Tensor) -> Tensor:
    """L, M and N: (N, 3, ...) to the same shape."""
    return _mixed(images, _LMN)


def lab(images: Tensor, white: tuple[float, float, float] = D65) -> Tensor:
    """L*, a* and b* (CIE 1976) of sRGB in [0, 1]: (N, 3, ...) to the same shape."""
    linear = torch.where(images <= 0.04045, images / 12.92, ((images + 0.055) / 1.055) ** 2.4)
    relative = [values / of_white for values, of_white in zip(_mixed(linear, _XYZ).unbind(dim=1), white, strict=True)]
    x, y, z = (torch.where(t > _EPSILON, t.pow(1 / 3), (_KAPPA * t + 16) / 116) for t in relative)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def _mixed(images: Tensor, weights: tuple[tuple[float, ...], ...]) -> Tensor:
    """Each result is a weighted sum of the three channels."""
    return (images.new_tensor(weights) @ images.flatten(2)).reshape(images.shape)
