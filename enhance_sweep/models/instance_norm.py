"""Instance norm, exact and fast in both memory layouts (docs/decisions/instance-norm.md)."""

from typing import Any

import torch
from torch import Tensor, nn

#: Added to the variance (DPED code).
NORM_EPS = 1e-3


class InstanceNorm2d(nn.Module):
    """Affine instance norm: each channel of each image gets mean 0 and variance 1, then a scale and a shift.

    Biased variance, eps 1e-3, no running statistics (DPED code). Unlike torch's own it accepts a single pixel
    (variance 0). Statistics are computed in fp32 even where the input is less precise.

    Args:
        channels: of the features.
        step: take the statistics from every `step`-th pixel of every `step`-th row, which costs next to nothing from 4
            on: one pass over the features is left of five.
    """

    def __init__(self, channels: int, step: int = 1) -> None:
        super().__init__()
        self.step = step
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        precision = torch.promote_types(input.dtype, torch.float32)
        features, weight, bias = (tensor.to(precision) for tensor in (input, self.weight, self.bias))
        if self.step > 1:
            mean, variance = moments(features, self.step)
            scale = torch.rsqrt(variance + NORM_EPS) * weight[:, None, None]
            normed = torch.addcmul(bias[:, None, None] - mean * scale, features, scale)
        elif features.is_contiguous():
            # A group norm with one channel per group is an instance norm, and torch's fastest.
            normed = torch.group_norm(features, features.shape[1], weight, bias, NORM_EPS)
        elif torch.is_grad_enabled():
            normed = _ChannelsLast.apply(features, weight, bias)  # type: ignore[no-untyped-call]
        else:
            # On channels-last memory torch's group norm computes E[x^2] - E[x]^2, which loses digits: 1e-2 off on a
            # flat image of 1280x720. Reordering the memory costs more than these few passes.
            centred = features - features.mean(dim=(2, 3), keepdim=True)
            variance = centred.square().mean(dim=(2, 3), keepdim=True)
            scale = torch.rsqrt(variance + NORM_EPS) * weight[:, None, None]
            normed = torch.addcmul(bias[:, None, None], centred, scale)
        return normed.to(input.dtype)


def moments(features: Tensor, step: int = 1) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel of each image, both (N, C, 1, 1), over every `step`-th pixel and row."""
    sampled = features[:, :, ::step, ::step]
    mean = sampled.mean(dim=(2, 3), keepdim=True)
    return mean, (sampled - mean).square().mean(dim=(2, 3), keepdim=True)


class _ChannelsLast(torch.autograd.Function):
    """Instance norm with its gradients written out: half as many passes over memory as autograd.

    It works on rows of pixels as they lie in memory, (N, H, W C): a loop over W C numbers is fast, one over C is not.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        rows, width = _rows(features), features.shape[3]
        centred = rows - _along_rows(_means(rows, width), width)
        per_deviation = torch.rsqrt(_means(centred.square(), width) + NORM_EPS)
        ctx.save_for_backward(centred, per_deviation, weight)
        normed = torch.empty_like(features, memory_format=torch.channels_last)
        scale = _along_rows(per_deviation * weight, width)
        torch.addcmul(_along_rows(bias[None], width), centred, scale, out=_rows(normed))
        return normed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        (gradient,) = gradients
        centred, per_deviation, weight = ctx.saved_tensors
        rows, (_, _, height, width) = _rows(gradient), gradient.shape
        mean = _means(rows, width)
        projected = _means(rows * centred, width)
        scale = per_deviation * weight
        # scale * (gradient - its mean - its projection on the normed features)
        to_features = torch.empty_like(gradient, memory_format=torch.channels_last)
        towards = torch.addcmul(
            _along_rows(-scale * mean, width), rows, _along_rows(scale, width), out=_rows(to_features)
        )
        towards.addcmul_(centred, _along_rows(-scale * per_deviation.square() * projected, width))
        pixels = height * width
        return to_features, (projected * per_deviation).sum(dim=0) * pixels, mean.sum(dim=0) * pixels


def _rows(features: Tensor) -> Tensor:
    """(N, C, H, W) to (N, H, W C); moves nothing in channels-last memory."""
    return features.permute(0, 2, 3, 1).flatten(2)


def _means(rows: Tensor, width: int) -> Tensor:
    """The mean of each channel of each image: (N, H, W C) to (N, C)."""
    columns = rows.mean(dim=1)
    return columns.view(len(columns), width, -1).mean(dim=1)


def _along_rows(values: Tensor, width: int) -> Tensor:
    """Repeat one value per channel for each pixel of a row: (N, C) to (N, 1, W C)."""
    return values.repeat(1, width)[:, None]
