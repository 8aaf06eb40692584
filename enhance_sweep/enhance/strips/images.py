"""Strips of images in the memory layout in which they are kept: rows of pixels, each pixel's channels side by side."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Shape:
    """An image's size and precision."""

    channels: int
    height: int
    width: int
    dtype: torch.dtype

    @classmethod
    def of(cls, images: Tensor) -> "Shape":
        """The shape of one image, (1, C, H, W)."""
        _, channels, height, width = images.shape
        return cls(channels, height, width, images.dtype)

    @property
    def row_length(self) -> int:
        """Numbers in one row."""
        return self.width * self.channels

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.row_length * self.dtype.itemsize


def as_images(rows: Tensor, channels: int) -> Tensor:
    """(rows, W C) to (1, C, rows, W), in the same memory: channels last."""
    return rows.view(1, len(rows), -1, channels).permute(0, 3, 1, 2)


def as_rows(images: Tensor) -> Tensor:
    """(1, C, rows, W) to (rows, W C)."""
    return images.permute(0, 2, 3, 1).reshape(images.shape[2], -1)
