"""Colors of a photograph to sRGB, which networks learn from, and of the result back to the photograph's own."""

import io
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageCms

#: A profile that moves no color by more than this many levels is sRGB under another name.
_SAME = 1


@dataclass(frozen=True)
class ColorSpace:
    """How colors are converted to sRGB and back.

    Attributes:
        mode: of the result, L or RGB.
        profile: the ICC profile to embed in the result; None where the photograph has none.
    """

    mode: str
    profile: bytes | None
    _takes: str = "RGB"
    _to_srgb: ImageCms.ImageCmsTransform | None = None
    _from_srgb: ImageCms.ImageCmsTransform | None = None

    @property
    def is_srgb(self) -> bool:
        """Whether no conversion is needed."""
        return self._to_srgb is None and self.mode == "RGB"

    def to_srgb(self, image: Image.Image) -> Image.Image:
        """A picture (L, RGB or CMYK) in sRGB's RGB."""
        if self._to_srgb is None:
            return image.convert("RGB")
        converted = ImageCms.applyTransform(image.convert(self._takes), self._to_srgb)
        assert converted is not None
        return converted

    def from_srgb(self, image: Image.Image) -> Image.Image:
        """A picture from sRGB's RGB into `mode` and the colors of `profile`."""
        if self._from_srgb is not None:
            converted = ImageCms.applyTransform(image, self._from_srgb)
            assert converted is not None
            image = converted
        return image.convert(self.mode)


def color_space(mode: str, profile: bytes | None) -> ColorSpace:
    """The conversion for a picture of `mode` (L, RGB or CMYK) with an embedded ICC profile.

    Gray stays gray. The result is in the photograph's own profile; CMYK becomes sRGB, and so does a picture whose
    profile converts in one direction only. An unreadable profile is kept in the file but not applied, as in viewers.
    """
    gray = "L" if mode == "L" else "RGB"
    if not profile:
        return ColorSpace(gray, None)
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        takes = {"GRAY": "L", "RGB ": "RGB", "CMYK": "CMYK"}[own.profile.xcolor_space]
        if takes != mode and ("CMYK" in (takes, mode) or takes == "L"):
            raise KeyError(mode)  # the profile is for another mode
        there = _transform(own, _srgb(), takes, "RGB")
    except (KeyError, OSError, ImageCms.PyCMSError):
        return ColorSpace(gray, None if mode == "CMYK" else profile)
    if takes == "RGB" and _changes_nothing(there):
        return ColorSpace(gray, profile)
    if takes != "CMYK":
        try:
            return ColorSpace(gray, profile, takes, there, _transform(_srgb(), own, "RGB", takes))
        except ImageCms.PyCMSError:  # a profile of a camera or a scanner
            pass
    return ColorSpace(gray, None if gray == "L" else _srgb().tobytes(), takes, there)


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _transform(
    first: ImageCms.ImageCmsProfile, second: ImageCms.ImageCmsProfile, takes: str, gives: str
) -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(
        first,
        second,
        takes,
        gives,
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 27, 3)
    moved = ImageCms.applyTransform(Image.fromarray(grid), transform)
    return bool(np.abs(np.asarray(moved).astype(int) - grid).max() <= _SAME)
