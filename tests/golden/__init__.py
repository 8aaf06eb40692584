"""What the public DPED code computed, as the tests need it."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from enhance_sweep.models import PlainGenerator


def published_plain_generator(shared: Path, name: str, channels: int, blocks: int) -> PlainGenerator:
    """The plain generator with published weights."""
    generator = PlainGenerator(3, channels, blocks)
    published = np.load(shared / "reference" / "golden" / f"{name}.npz")
    ours = {"head.": "head.0.", "tail.conv1.": "tail.0.", "tail.conv2.": "tail.2."}
    state = {}
    for key in published:
        prefix = next((old for old in ours if key.startswith(old)), "")
        state[ours.get(prefix, "") + key.removeprefix(prefix)] = torch.from_numpy(published[key])
    generator.load_state_dict(state)
    return generator.eval()


def dped_test_patches(shared: Path) -> tuple[Tensor, Tensor]:
    """The 100 test pairs, in the numeric order of their names: (100, 3, 100, 100) in [0, 1], twice."""
    folder = shared / "dped-sample" / "iphone" / "test_data" / "patches"
    names = sorted((path.name for path in (folder / "iphone").glob("*.jpg")), key=lambda name: int(name[:-4]))

    def read(side: str) -> Tensor:
        pixels = np.stack([np.asarray(Image.open(folder / side / name)) for name in names])
        return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255

    return read("iphone"), read("canon")
