"""Photographs that come with installed packages: scikit-image and scikit-learn."""

import importlib.util
from pathlib import Path

from enhance_sweep.data.pairs import DataError


def installed_file(place: str) -> Path:
    """The file at a place inside an installed package, such as `skimage/data/coffee.png`.

    Raises:
        DataError: the package or the file is missing.
    """
    package, _, inside = place.partition("/")
    found = importlib.util.find_spec(package)
    path = Path(found.origin).parent / inside if found is not None and found.origin else None
    if path is None or not path.is_file():
        raise DataError(
            f"{place} is missing: install or reinstall scikit-image and scikit-learn, or give your own photographs "
            "(data.root, --photograph)"
        )
    return path
