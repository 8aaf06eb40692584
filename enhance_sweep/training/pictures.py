"""Pictures for people: test patches and whole photographs, before and after."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from tqdm import tqdm

from enhance_sweep.data.batches import to_unit
from enhance_sweep.data.pairs import Pairs, Pixels, Split
from enhance_sweep.data.showcase import PHOTOGRAPHS, shots, was_trained_on

FOLDER = "pictures"
_PATCHES = 8
_PATCHES_FILE = "patches.jpg"
#: Enhanced photographs are kept lossless: two networks may differ by a gray level or two.
_LOSSLESS = {"format": "WEBP", "lossless": True, "method": 4}
_GOOD = {"format": "JPEG", "quality": 92, "subsampling": 0}


def write_pictures(
    generator: nn.Module, pairs: Pairs, folder: Path, progress: str | None = None
) -> list[dict[str, Any]]:
    """Write some test patches and whole photographs as a network enhances them, with inputs and targets.

    Args:
        generator: (N, 3, H, W) in [0, 1] to the same, on the CPU.
        pairs: what it was trained and is tested on.
        folder: the variant's; the pictures go into its `pictures`.
        progress: show a bar with this name, which vanishes at the end.

    Returns:
        For the record, for each picture its `file`, relative to `folder`, its `title` and its `kind`: `patches` (rows
        of untouched, enhanced and target patches), `photograph` (enhanced), `input` or `target`. The last three also
        have the name of the `photograph`, its `credit`, and whether the network was `trained_on` it.

    Raises:
        DataError: an installed photograph is missing.
        OSError: they cannot be written.
    """
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    _save(_patches(generator, pairs.test), folder / FOLDER / _PATCHES_FILE, _GOOD)
    title = "Untouched, enhanced, target: test patches"
    pictures: list[dict[str, Any]] = [{"file": f"{FOLDER}/{_PATCHES_FILE}", "title": title, "kind": "patches"}]
    hidden = progress is None or not sys.stderr.isatty()
    for shot in tqdm(shots(), desc=progress, unit="photo", leave=False, disable=hidden):
        photograph = shot.photograph
        pixels = {
            "photograph": _enhance(generator, shot.input[None])[0],
            "input": shot.input,
            "target": shot.target,
        }
        titles = {"photograph": photograph.title, "input": "A simulated phone's shot", "target": "The photograph"}
        for kind, file in _files(photograph.name):
            _save(pixels[kind], folder / file, _LOSSLESS if kind == "photograph" else _GOOD)
            pictures.append(
                {
                    "file": file,
                    "title": titles[kind],
                    "kind": kind,
                    "photograph": photograph.name,
                    "credit": photograph.credit,
                    "trained_on": was_trained_on(photograph, pairs),
                }
            )
    return pictures


def are_complete(pictures: Any, folder: Path) -> bool:
    """Whether a record names all pictures that `write_pictures` would write now, and `folder` holds them."""
    named = {picture.get("file") for picture in pictures or [] if isinstance(picture, Mapping)}
    wanted = [f"{FOLDER}/{_PATCHES_FILE}", *(file for p in PHOTOGRAPHS for _, file in _files(p.name))]
    return all(file in named and (folder / file).is_file() for file in wanted)


def _files(name: str) -> Iterator[tuple[str, str]]:
    """Kind and file, relative to the variant's folder, of each picture of a photograph."""
    yield "photograph", f"{FOLDER}/{name}.webp"
    yield "input", f"{FOLDER}/{name}-input.jpg"
    yield "target", f"{FOLDER}/{name}-target.jpg"


def _patches(generator: nn.Module, split: Split) -> Pixels:
    """The same few test patches for all variants, spread evenly, in rows: untouched, enhanced, target."""
    rows = np.unique(np.linspace(0, len(split) - 1, _PATCHES + 2).round().astype(int)[1:-1])
    input, target = np.array(split.input[rows]), np.array(split.target[rows])
    shown = (input, _enhance(generator, input), target)
    return np.concatenate([np.concatenate(list(images), axis=1) for images in shown], axis=0)


def _enhance(generator: nn.Module, pixels: Pixels) -> Pixels:
    """Enhance pictures: uint8 (N, H, W, 3) to the same."""
    input = to_unit(torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2))
    with torch.inference_mode():
        enhanced = generator(input.contiguous(memory_format=torch.channels_last)).float().clamp(0, 1)
    shown: Pixels = (enhanced * 255).round().byte().permute(0, 2, 3, 1).numpy()
    return shown


def _save(pixels: Pixels, path: Path, how: Mapping[str, Any]) -> None:
    """Write a picture whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    Image.fromarray(pixels).save(part, **how)
    part.replace(path)
