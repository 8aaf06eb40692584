"""A trained variant as a function on photographs."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from enhance_sweep.data.batches import to_unit
from enhance_sweep.plan import GENERATOR_FILE
from enhance_sweep.variant import load_generator

Photo = NDArray[np.uint8]


class Enhancer:
    """Enhances one photograph at a time, on the CPU, in fp32.

    Args:
        generator: (1, 3, H, W) in [0, 1] to the same.
    """

    def __init__(self, generator: nn.Module) -> None:
        self.generator = generator.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __call__(self, photo: Photo) -> Photo:
        """Enhance a photograph: uint8 RGB (H, W, 3) to the same, any height and width.

        Raises:
            ValueError: it is of another type or shape.
        """
        if not isinstance(photo, np.ndarray) or photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
            found = f"{photo.dtype} {photo.shape}" if isinstance(photo, np.ndarray) else type(photo).__name__
            raise ValueError(f"expected a photograph as uint8 RGB of shape (H, W, 3), got {found}")
        if photo.size == 0:
            raise ValueError(f"expected a photograph with at least one pixel, got shape {photo.shape}")
        input = to_unit(torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None])
        with torch.inference_mode():
            enhanced = self.generator(input.contiguous(memory_format=torch.channels_last))
        pixels: Photo = (enhanced[0].float().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
        return pixels


def load_enhancer(run_dir_or_file: str | Path) -> Enhancer:
    """Load a trained variant; nothing in the file is executed.

    Args:
        run_dir_or_file: a variant's folder under `runs/trained/`, or the `generator.pt` in it.

    Raises:
        FileNotFoundError: there is no trained variant.
    """
    path = Path(run_dir_or_file)
    file = path / GENERATOR_FILE if path.is_dir() else path
    if not file.is_file():
        raise FileNotFoundError(
            f"no trained variant at {path}: name a folder under runs/trained/ that holds a {GENERATOR_FILE}"
        )
    return Enhancer(load_generator(file))
