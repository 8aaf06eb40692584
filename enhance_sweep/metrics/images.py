"""What every metric requires of the images it compares."""

from torch import Tensor

from enhance_sweep.measures import MEASURES


def check_pair(enhanced: Tensor, target: Tensor, measure: str | None = None) -> None:
    """Raise a `ValueError` unless both are floating-point (N, 3, H, W), of the same shape and not empty.

    Args:
        enhanced: the image to score.
        target: what it is compared with.
        measure: the name of a measure whose smallest side the images must have as well.
    """
    if enhanced.shape != target.shape or enhanced.ndim != 4 or enhanced.shape[1] != 3 or enhanced.numel() == 0:
        raise ValueError(
            f"expected two batches of one shape (N, 3, H, W), got {tuple(enhanced.shape)} and {tuple(target.shape)}"
        )
    if not (enhanced.is_floating_point() and target.is_floating_point()):
        raise ValueError(
            f"expected floating-point images in [0, 1], got {enhanced.dtype} and {target.dtype}: divide by 255 first"
        )
    if measure is not None:
        (height, width), described = enhanced.shape[-2:], MEASURES[measure]
        side = described.smallest_side
        if min(height, width) < side:
            raise ValueError(f"{described.label} needs images of at least {side}x{side} pixels, got {width}x{height}")
