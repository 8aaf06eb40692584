"""Gradient magnitudes by 3x3 filters."""

from torch import Tensor
from torch.nn import functional as F

#: How a filter smooths across the direction of its difference.
PREWITT = (1 / 3, 1 / 3, 1 / 3)
SCHARR = (3 / 16, 10 / 16, 3 / 16)


def gradient_magnitude(maps: Tensor, smoothing: tuple[float, float, float]) -> Tensor:
    """The length of the gradient, per two pixels: (N, H, W) to the same shape; beyond the edges there are zeros."""
    padded = F.pad(maps, (1, 1, 1, 1))
    across = _smoothed(padded[..., 2:] - padded[..., :-2], smoothing, dim=-2)
    down = _smoothed(padded[..., 2:, :] - padded[..., :-2, :], smoothing, dim=-1)
    return (across.square() + down.square()).sqrt()


def _smoothed(maps: Tensor, weights: tuple[float, float, float], dim: int) -> Tensor:
    """A weighted sum of three neighbors, where all three exist."""
    kept = maps.shape[dim] - 2
    before, here, after = (maps.narrow(dim, start, kept) for start in range(3))
    return weights[0] * before + weights[1] * here + weights[2] * after
