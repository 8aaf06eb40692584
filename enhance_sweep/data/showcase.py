"""Whole photographs that show what every trained network does: always the same, free to publish, never downloaded.

They come with scikit-image and scikit-learn. The packages' notes (`skimage/data/_fetchers.py`,
`sklearn/datasets/images/README.txt`) allow changing and publishing all of them, one with its author's name. A simulated
phone takes each, so that there is an input to enhance and a target to compare the result with.

They keep their own size, 0.14 to 0.27 megapixels. Enlarged to 1280x720 they would be soft before the phone has blurred
anything, which no network has learned from, and would take 3 to 7 times as long.
"""

import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np

from enhance_sweep.data.camera import Camera
from enhance_sweep.data.decoding import decode_rgb
from enhance_sweep.data.installed import installed_file
from enhance_sweep.data.pairs import Pairs, Pixels

#: The phone's usual shot: neither a lucky nor an unlucky exposure or white balance.
_PHONE = Camera(exposure_spread_ev=0.0, warmth_spread_ev=0.0)


@dataclass(frozen=True)
class Photograph:
    """A photograph that comes with an installed package.

    Attributes:
        name: of the scene, as `enhance_sweep.data.photos` names it; also of its files.
        title: what it shows, for people.
        credit: who took it, under which licence, and where it comes from; must be shown with every copy.
        file: the package's name and the path inside it.
    """

    name: str
    title: str
    credit: str
    file: str


#: First the two on which `data=photos` tests, then the one on which it validates, and one that it trains on.
PHOTOGRAPHS = (
    Photograph(
        "coffee",
        "A cup of coffee",
        "Rachel Michetti, courtesy of Pikolo Espresso Bar; CC0; from scikit-image",
        "skimage/data/coffee.png",
    ),
    Photograph(
        "pagoda",
        "A pagoda",
        "danielbuechele, flickr.com/photos/danielbuechele/6061409035; CC BY 2.0; from scikit-learn",
        "sklearn/datasets/images/china.jpg",
    ),
    Photograph("cat", "A cat", "Stefan van der Walt; CC0; from scikit-image", "skimage/data/chelsea.png"),
    Photograph(
        "rocket",
        "A rocket at dusk",
        "SpaceX, flickr.com/photos/spacexphotos/16511594820; public domain; from scikit-image",
        "skimage/data/rocket.jpg",
    ),
)


@dataclass(frozen=True)
class Shot:
    """A photograph and the phone's shot of it, both uint8 RGB of shape (H, W, 3)."""

    photograph: Photograph
    input: Pixels
    target: Pixels


@cache
def shots() -> tuple[Shot, ...]:
    """All photographs with the phone's shots of them: the same pixels at every call, made once for each process.

    Raises:
        DataError: a package or its photograph is missing or damaged.
    """
    return tuple(_shot(photograph) for photograph in PHOTOGRAPHS)


def _shot(photograph: Photograph) -> Shot:
    target = decode_rgb(installed_file(photograph.file))
    generator = np.random.default_rng([0, zlib.crc32(photograph.name.encode())])
    return Shot(photograph, _PHONE.take(target, generator), target)


def was_trained_on(photograph: Photograph, pairs: Pairs) -> bool:
    """Whether a data set trains on this very scene; assumes not where the photographs are the user's own."""
    parts = pairs.description.get("parts", {"": {"dataset": pairs.dataset, **pairs.description}}).values()
    return any(part["dataset"] == "photos" and photograph.name in part.get("train_scenes", []) for part in parts)
