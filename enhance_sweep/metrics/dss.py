"""DCT subband similarity."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from enhance_sweep.metrics.colors import luma
from enhance_sweep.metrics.images import check_pair
from enhance_sweep.metrics.similarity import dissimilarity

_BLOCK = 8

#: How fast the weight of a subband falls with its frequency, and the weight below which it is left out.
_WEIGHT_SIGMA, _LEAST_WEIGHT = 1.55, 1e-2

#: The window of local variances.
_WINDOW, _WINDOW_SIGMA = 3, 1.5

#: The constants for the mean of a block and for all other subbands, for values in [0, 255].
_DC, _AC = 1000.0, 300.0

#: The share of blocks, the worst ones, that makes a subband's score.
_WORST = 0.05


def dss(enhanced: Tensor, target: Tensor) -> Tensor:
    """DSS of each image, for values in [0, 1] (Balanov et al. 2015; piq 0.8.0).

    The brightness is transformed in blocks of 8x8 (DCT). In each low-frequency subband local variances are compared,
    and the worst twentieth of the blocks counts, at least one. Rows and columns beyond a multiple of 8 are left out.
    It sees no color, and of brightness only how it varies. Symmetric.

    Args:
        enhanced: (N, 3, H, W), of at least 8x8 pixels.
        target: the same shape.

    Returns:
        (N,), at most 1, in float64; blocks whose means vary against each other can bring it below 0. Higher is better:
        1, within 1e-12, for identical images.

    Raises:
        ValueError: the shapes differ, are not (N, 3, H, W), or are too small.

    Example:
        >>> image = torch.rand(1, 3, 96, 96)
        >>> dss(image, image)
        tensor([1.], dtype=torch.float64)
    """
    check_pair(enhanced, target, "dss")
    first, second = _subbands(enhanced), _subbands(target)
    mean1, mean2 = _local_mean(first), _local_mean(second)
    deviation1, deviation2 = _deviation(first, mean1), _deviation(second, mean2)
    mean_of_blocks = slice(0, 1)  # the subband (0, 0) comes first
    constants = first.new_full((first.shape[1], 1, 1), _AC)
    constants[mean_of_blocks] = _DC
    scores = _worst(1 - dissimilarity(deviation1, deviation2, constants))
    covariance = _local_mean(first[:, mean_of_blocks] * second[:, mean_of_blocks])
    covariance = covariance - mean1[:, mean_of_blocks] * mean2[:, mean_of_blocks]
    product = deviation1[:, mean_of_blocks] * deviation2[:, mean_of_blocks]
    structure = _worst((covariance + _DC) / (product + _DC))
    scores = torch.cat([scores[:, mean_of_blocks] * structure, scores[:, 1:]], dim=1)
    weights = scores.new_tensor([weight for _, _, weight in _FREQUENCIES])
    return (scores * weights).sum(dim=1) / weights.sum()


def _frequencies() -> list[tuple[int, int, float]]:
    """The subbands that count, row by row, with their weights."""
    found = []
    for down in range(_BLOCK):
        for across in range(_BLOCK):
            weight = math.exp(-((down + 0.5) ** 2 + (across + 0.5) ** 2) / (2 * _WEIGHT_SIGMA**2))
            if weight >= _LEAST_WEIGHT:
                found.append((down, across, weight))
    return found


_FREQUENCIES = _frequencies()


def _subbands(images: Tensor) -> Tensor:
    """The DCT coefficients that count: (N, 3, H, W) to (N, subbands, H // 8, W // 8)."""
    brightness = luma(images.double() * 255)
    rows, columns = (side // _BLOCK for side in brightness.shape[-2:])
    whole = brightness[:, : rows * _BLOCK, : columns * _BLOCK]
    blocks = whole.reshape(-1, rows, _BLOCK, columns, _BLOCK).transpose(2, 3)
    transform = _transform(blocks)
    coefficients = transform @ blocks @ transform.T
    return torch.stack([coefficients[..., down, across] for down, across, _ in _FREQUENCIES], dim=1)


def _transform(like: Tensor) -> Tensor:
    """(8, 8): each row holds the values of one frequency's orthonormal cosine (DCT-II)."""
    place = torch.arange(_BLOCK, dtype=like.dtype, device=like.device)
    waves = torch.cos(math.pi / _BLOCK * place[:, None] * (place + 0.5)) * math.sqrt(2 / _BLOCK)
    return torch.cat([waves[:1] / math.sqrt(2), waves[1:]])


def _local_mean(maps: Tensor) -> Tensor:
    """Gaussian means of 3x3 neighbors, (N, C, H, W) to the same shape; beyond the edges there are zeros."""
    side = math.exp(-1 / (2 * _WINDOW_SIGMA**2))
    centre, side = 1 / (1 + 2 * side), side / (1 + 2 * side)
    padded = F.pad(maps, (1, 1, 1, 1))
    across = centre * padded[..., 1:-1] + side * (padded[..., :-2] + padded[..., 2:])
    return centre * across[..., 1:-1, :] + side * (across[..., :-2, :] + across[..., 2:, :])


def _deviation(maps: Tensor, mean: Tensor) -> Tensor:
    """Local standard deviations."""
    return (_local_mean(maps.square()) - mean.square()).clamp_min(0).sqrt()


def _worst(maps: Tensor) -> Tensor:
    """The mean of the lowest twentieth of each map, at least of one value: (N, C, H, W) to (N, C)."""
    values = maps.flatten(2)
    count = max(1, round(_WORST * values.shape[2]))
    return values.topk(count, dim=2, largest=False, sorted=False).values.mean(dim=2)
