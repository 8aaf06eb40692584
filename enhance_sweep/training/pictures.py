"""Before and after, for people: a strip of test patches that the report can show."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from enhance_sweep.data.batches import to_unit
from enhance_sweep.data.pairs import Split

_PATCHES = 8
_QUALITY = 92


def write_pictures(generator: nn.Module, split: Split, folder: Path) -> list[dict[str, str]]:
    """One JPEG of some test patches: the untouched input, enhanced, and target, one below the other.

    Args:
        generator: (N, 3, H, W) in [0, 1] to the same.
        split: test pairs; the patches are spread evenly over it, so all variants show the same ones.
        folder: where the picture goes; its parent is the variant's.

    Returns:
        For the record: each picture's `file`, relative to the variant's folder, and its `title`.
    """
    rows = np.unique(np.linspace(0, len(split) - 1, _PATCHES + 2).round().astype(int)[1:-1])
    input, target = np.array(split.input[rows]), np.array(split.target[rows])
    with torch.inference_mode():
        enhanced = generator(to_unit(torch.from_numpy(input).permute(0, 3, 1, 2))).float().clamp(0, 1)
    shown = (enhanced * 255).round().byte().permute(0, 2, 3, 1).numpy()
    strip = np.concatenate([np.concatenate(list(images), axis=1) for images in (input, shown, target)], axis=0)
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / ".patches.part"
    Image.fromarray(strip).save(part, format="JPEG", quality=_QUALITY, subsampling=0)
    part.replace(folder / "patches.jpg")
    return [{"file": f"{folder.name}/patches.jpg", "title": "Untouched, enhanced, target: test patches"}]
