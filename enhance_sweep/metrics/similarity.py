"""How alike two maps are, and the mean of a map."""

from torch import Tensor


def dissimilarity(first: Tensor, second: Tensor, constant: float | Tensor) -> Tensor:
    """1 - (2 a b + c) / (a^2 + b^2 + c), where a and b are equal exactly 0.

    Most papers name the similarity. Its difference from 1 loses no digits where maps are nearly equal.
    """
    return (first - second).square() / (first.square() + second.square() + constant)


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """The mean of each image's values, (N, ...) to (N,); where all weights of an image are 0, values count alike."""
    values, weights = values.flatten(1), weights.flatten(1)
    total = weights.sum(dim=1, keepdim=True)
    weights = weights.where(total > 0, 1.0)
    return (values * weights).sum(dim=1) / weights.sum(dim=1)
