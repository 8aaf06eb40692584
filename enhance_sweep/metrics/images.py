"""What every metric requires of the images it compares."""

from torch import Tensor


def check_pair(enhanced: Tensor, target: Tensor) -> None:
    """Raise a `ValueError` unless both are floating-point (N, 3, H, W), of the same shape and not empty."""
    if enhanced.shape != target.shape or enhanced.ndim != 4 or enhanced.shape[1] != 3 or enhanced.numel() == 0:
        raise ValueError(
            f"expected two batches of one shape (N, 3, H, W), got {tuple(enhanced.shape)} and {tuple(target.shape)}"
        )
    if not (enhanced.is_floating_point() and target.is_floating_point()):
        raise ValueError(
            f"expected floating-point images in [0, 1], got {enhanced.dtype} and {target.dtype}: divide by 255 first"
        )
