"""Pairs made from single photographs; :mod:`enhance_sweep.data.camera` simulates the phone's side."""

import importlib.metadata
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from enhance_sweep.data.camera import Camera
from enhance_sweep.data.decoding import decode_rgb, refuse, thread_pool
from enhance_sweep.data.grid import cut, grid, step_of
from enhance_sweep.data.installed import installed_file
from enhance_sweep.data.packing import Description, Packer, packed, source_digest
from enhance_sweep.data.pairs import DataError, Pairs
from enhance_sweep.data.scenes import (
    SUFFIXES,
    Copies,
    Picture,
    choose_scenes,
    digest_of_pixels,
    pictures_in,
    refuse_few_scenes,
)
from enhance_sweep.system.code_meaning import digest_of

# The natural color photographs that come with scikit-image and scikit-learn, without gray, drawn, medical and
# astronomical pictures. The two halves of the stereo pair show one scene.
_INSTALLED = {
    "astronaut": ("skimage/data/astronaut.png",),
    "cat": ("skimage/data/chelsea.png",),
    "coffee": ("skimage/data/coffee.png",),
    "dahlia": ("sklearn/datasets/images/flower.jpg",),
    "motorcycle": ("skimage/data/motorcycle_left.png", "skimage/data/motorcycle_right.png"),
    "pagoda": ("sklearn/datasets/images/china.jpg",),
    "rocket": ("skimage/data/rocket.jpg",),
}
# What decides the simulated pixels and how they are divided.
_MADE_BY = ("camera.py", "photos.py", "decoding.py", "grid.py", "scenes.py")
# One outdoors by day, one indoors. Both have fine detail, flat areas and strong color.
_INSTALLED_TEST_SCENES = {"coffee", "pagoda"}
# The smallest of the others.
_INSTALLED_VALIDATION_SCENES = {"cat"}


class Photos:
    """Photographs are the targets; a simulated phone makes the inputs from them.

    Without a root these are the photographs installed with scikit-image and scikit-learn: four scenes to learn from,
    one for validation and two to test on. With a root they are the user's own. Each file directly in the folder is a
    scene, and each subfolder, with everything in it, is one scene. About a fifth of the scenes, at least two, are for
    testing, and a tenth, at least one, for validation; a hash of their names chooses them.
    """

    def __init__(
        self,
        root: str | None = None,
        camera: Camera | None = None,
        patch_size: int = 100,
        shots: int = 4,
        seed: int = 0,
        max_side: int = 1600,
    ) -> None:
        """Store the settings; nothing is read before :meth:`load`.

        Args:
            root: A folder of photographs; None takes the installed ones.
            camera: The simulated phone; None takes the one calibrated on DPED.
            patch_size: Side of the square patches, in pixels. Patches overlap by about half in training and not at
                all elsewhere.
            shots: How many times the phone takes each photograph, each with its own exposure, white balance and noise.
            seed: Seed of the simulation. It is part of the data: runs with other training seeds see the same pairs.
            max_side: Photographs with a longer side than this, in pixels, are scaled down to it.

        Raises:
            DataError: A number is out of its range.
        """
        for name, value, lowest in (("patch_size", patch_size, 1), ("shots", shots, 1), ("seed", seed, 0)):
            if value < lowest:
                raise DataError(f"data.{name} is {value}: choose {lowest} or more")
        if max_side < patch_size:
            raise DataError(
                f"data.max_side is {max_side}, less than data.patch_size, {patch_size}: choose a larger one"
            )
        self.root = root
        self.camera = Camera() if camera is None else camera
        self.patch_size = patch_size
        self.shots = shots
        self.seed = seed
        self.max_side = max_side

    def load(self, cache_dir: Path) -> Pairs:
        """Return all pairs; the first call simulates them into the cache, with progress bars on stderr.

        Args:
            cache_dir: The cache's folder, see :func:`enhance_sweep.data.packing.default_cache_dir`.

        Raises:
            DataError: The folder holds too few scenes, a photograph cannot be read, is smaller than a patch or is
                in two scenes, or the cache cannot be written. The message names the files and the remedy.
        """
        photos = _installed_photos() if self.root is None else _own_photos(Path(self.root).expanduser())
        test, validation = (
            (_INSTALLED_TEST_SCENES, _INSTALLED_VALIDATION_SCENES)
            if self.root is None
            else choose_scenes(photo.scene for photo in photos)
        )
        splits = {
            "train": [photo for photo in photos if photo.scene not in test | validation],
            "validation": [photo for photo in photos if photo.scene in validation],
            "test": [photo for photo in photos if photo.scene in test],
        }
        settings: dict[str, Any] = {
            "patch_size": self.patch_size,
            "shots": self.shots,
            "seed": self.seed,
            "camera": asdict(self.camera),
        }

        def pack(packer: Packer) -> Description:
            sizes = self._examine(photos)
            for split, members in splits.items():
                self._pack_split(packer, split, members, sizes)
            return {
                "source": "scikit-image and scikit-learn" if self.root is None else "own photographs",
                **{f"{split}_scenes": sorted({photo.scene for photo in members}) for split, members in splits.items()},
                **{f"{split}_photos": len(members) for split, members in splits.items()},
                **settings,
            }

        source = source_digest(
            {photo.name: photo.path for photo in photos},
            {**settings, "max_side": self.max_side, "own": self.root is not None, "made_by": _simulation_version()},
        )
        return packed(cache_dir, "photos" if self.root is None else "own-photos", source, pack)

    def _examine(self, photos: list[Picture]) -> dict[Picture, tuple[int, int]]:
        """Read every photograph once, refuse unusable ones, and return their heights and widths."""

        def examine(photo: Picture) -> tuple[int, int, bytes] | str:
            try:
                pixels = decode_rgb(photo.path, self.max_side)
            except DataError as error:
                return str(error)
            height, width = pixels.shape[:2]
            if min(height, width) < self.patch_size:
                return f"{photo.path} is {width}x{height} here, smaller than a patch of {self.patch_size}"
            return height, width, digest_of_pixels(pixels)

        problems: list[str] = []
        sizes: dict[Picture, tuple[int, int]] = {}
        copies = Copies()
        with thread_pool() as threads:
            found = threads.map(examine, photos)
            for photo, result in tqdm(
                zip(photos, found, strict=True), "Reading photographs", len(photos), unit="photo"
            ):
                if isinstance(result, str):
                    problems.append(result)
                    continue
                sizes[photo] = result[:2]
                copies.note(photo, result[2])
        refuse(problems, "Move these out of the folder, or replace them")
        copies.refuse()
        return sizes

    def _pack_split(
        self, packer: Packer, split: str, photos: list[Picture], sizes: dict[Picture, tuple[int, int]]
    ) -> None:
        size = self.patch_size
        shots = [(photo, shot) for photo in photos for shot in range(self.shots)]
        corners = {photo: list(grid(*sizes[photo], size, step_of(split, size))) for photo in photos}
        names = [f"{photo.name}#{shot}@{left},{top}" for photo, shot in shots for top, left in corners[photo]]
        firsts = np.cumsum([0] + [len(corners[photo]) for photo, _ in shots])
        packer.allocate(split, names, (size, size))

        def put(number: int) -> None:
            photo, shot = shots[number]
            target = decode_rgb(photo.path, self.max_side)
            input = self.camera.take(target, self._generator(photo, shot))
            for index, (top, left) in enumerate(corners[photo], start=int(firsts[number])):
                packer.put(split, index, cut(input, top, left, size), cut(target, top, left, size))

        # Few threads: each holds a whole photograph as several float64 arrays.
        with thread_pool(most=4) as threads:
            for _ in tqdm(threads.map(put, range(len(shots))), f"Simulating {split} shots", len(shots), unit="shot"):
                pass

    def _generator(self, photo: Picture, shot: int) -> np.random.Generator:
        """Return the random generator of one shot; it does not depend on which other photographs there are."""
        return np.random.default_rng([self.seed, shot, zlib.crc32(photo.name.encode())])


def _installed_photos() -> list[Picture]:
    return [
        Picture(scene, f"{scene}/{path.stem}", path)
        for scene, files in _INSTALLED.items()
        for path in map(installed_file, files)
    ]


def _own_photos(root: Path) -> list[Picture]:
    """Return the photographs in a folder, ordered by name."""
    if not root.is_dir():
        state = "not a folder" if root.exists() else "missing"
        raise DataError(f"data.root={root} is {state}: give a folder of photographs ({', '.join(SUFFIXES)})")
    photos = pictures_in(root)
    refuse_few_scenes(root, photos)
    return photos


def _simulation_version() -> list[str]:
    """What else determines the simulated pixels: this code, and the versions of the libraries it calls."""
    code = [Path(__file__).with_name(name).read_text("utf-8") for name in _MADE_BY]
    versions = [importlib.metadata.version(name) for name in ("numpy", "scipy", "pillow")]
    return [digest_of(code), *versions]
