"""A simulated phone camera: what it would have taken of the scene behind a good photograph.

One small, pure function for each step; :meth:`Camera.take` runs them in the order that light and data follow:

    photograph -> linear light -> haze -> lens blur -> exposure, white balance, green cast
               -> fewer sensor pixels, with noise on each -> back to full size -> sRGB -> sharpening -> JPEG

Inside, arrays are float64. If another processor rounds the last digit differently, that practically never reaches the
8 bits, so the same photographs have the same fingerprint everywhere.
"""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from enhance_sweep.data.pairs import DataError, Pixels

Light = NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """The simulated phone; the defaults are calibrated on DPED's iPhone 3GS pairs (docs/decisions/data-camera.md).

    A ``_spread`` is the standard deviation over shots; everything else is the same for all shots. Light is linear, 1 is
    white.

    Attributes:
        haze: Share of the frame's mean light that the lens scatters over every pixel; 0 is a clean lens.
        blur_px: Standard deviation of the lens's Gaussian blur, in pixels of the photograph.
        exposure_ev: Exposure against the photograph's, in stops; -1 halves the light.
        exposure_spread_ev: How much it varies from shot to shot.
        highlights: How far above white the scene behind the photograph goes: a good camera rolls highlights off, the
            phone sees the scene itself. 0 takes the photograph as the scene; must be below 1.
        warmth_ev: White balance, in stops: raises red and lowers blue.
        warmth_spread_ev: How much it varies from shot to shot.
        green_cast_ev: Stops by which green exceeds red and blue.
        resolution: Pixels of the sensor along a side, as a share of the photograph's; 1 loses nothing.
        noise_poisson: Variance of the photon noise at white; at light x it is x times this.
        noise_gaussian: Standard deviation of the read-out noise, the same at every light level.
        sharpening: Strength of the unsharp mask; 0 leaves the picture as it is.
        sharpening_px: Radius of the mask, and so the halo's width: standard deviation in pixels.
        jpeg_quality: Quality of the stored JPEG, 1 to 95; its color resolution is halved.
    """

    haze: float = 0.04
    blur_px: float = 1.3
    exposure_ev: float = -1.5
    exposure_spread_ev: float = 0.6
    highlights: float = 0.7
    warmth_ev: float = 0.05
    warmth_spread_ev: float = 0.15
    green_cast_ev: float = 0.14
    resolution: float = 0.7
    noise_poisson: float = 0.0007
    noise_gaussian: float = 0.001
    sharpening: float = 0.6
    sharpening_px: float = 1.0
    jpeg_quality: int = 70

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            DataError: Names the parameter, its value and its range.
        """
        for name, (lowest, highest) in _RANGES.items():
            value = getattr(self, name)
            if not lowest <= value <= highest:
                raise DataError(f"data.camera.{name} is {value}: choose a value from {lowest} to {highest}")

    def take(self, photograph: Pixels, generator: np.random.Generator) -> Pixels:
        """Take a picture of the photograph's scene with this phone.

        Args:
            photograph: uint8 sRGB of shape (H, W, 3).
            generator: Draws this shot's exposure, white balance and noise; the same state gives the same picture.

        Returns:
            uint8 sRGB of shape (H, W, 3), aligned with the photograph.
        """
        exposure_ev = self.exposure_ev + self.exposure_spread_ev * generator.standard_normal()
        warmth_ev = self.warmth_ev + self.warmth_spread_ev * generator.standard_normal()
        height, width = photograph.shape[:2]

        light = undo_highlights(srgb_to_linear(photograph), self.highlights)
        light = scatter(light, self.haze)
        light = blur(light, self.blur_px)
        light = balance(expose(light, exposure_ev), warmth_ev, self.green_cast_ev)
        light = resize(light, max(1, round(height * self.resolution)), max(1, round(width * self.resolution)))
        light = add_noise(light, self.noise_poisson, self.noise_gaussian, generator)
        light = resize(light, height, width)
        return compress(
            quantise(sharpen(linear_to_srgb(light), self.sharpening, self.sharpening_px)), self.jpeg_quality
        )


_RANGES: dict[str, tuple[float, float]] = {
    "haze": (0, 1),
    "blur_px": (0, 20),
    "exposure_ev": (-8, 8),
    "exposure_spread_ev": (0, 4),
    "highlights": (0, 0.95),
    "warmth_ev": (-4, 4),
    "warmth_spread_ev": (0, 4),
    "green_cast_ev": (-4, 4),
    "resolution": (0.05, 1),
    "noise_poisson": (0, 1),
    "noise_gaussian": (0, 1),
    "sharpening": (0, 10),
    "sharpening_px": (0.1, 20),
    "jpeg_quality": (1, 95),
}


def srgb_to_linear(picture: Pixels) -> Light:
    """Return the light, 0 to 1, that 8-bit sRGB values stand for (IEC 61966-2-1)."""
    value = np.arange(256) / 255
    table = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    light: Light = table[picture]
    return light


def linear_to_srgb(light: Light) -> Light:
    """Return sRGB values, 0 to 1, of linear light; light below 0 and above 1 is clipped (IEC 61966-2-1)."""
    clipped = np.clip(light, 0, 1)
    return np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)


def undo_highlights(light: Light, highlights: float) -> Light:
    """Return the scene whose highlights a photograph rolled off: x / (1 - highlights x), so white was 1 / (1 - h)."""
    scene: Light = light / (1 - highlights * light)
    return scene


def scatter(light: Light, haze: float) -> Light:
    """Spread a share of all light evenly over the frame: blacks rise towards the mean, the mean stays."""
    hazy: Light = (1 - haze) * light + haze * light.mean(axis=(0, 1))
    return hazy


def blur(light: Light, sigma_px: float) -> Light:
    """Blur each channel by a Gaussian; edges mirror."""
    blurred: Light = gaussian_filter(light, (sigma_px, sigma_px, 0))
    return blurred


def expose(light: Light, exposure_ev: float) -> Light:
    """Multiply the light by 2 to the power of the exposure in stops."""
    brighter: Light = light * 2.0**exposure_ev
    return brighter


def balance(light: Light, warmth_ev: float, green_cast_ev: float) -> Light:
    """Shift the white balance: red up and blue down by the warmth, red and blue down by the green cast, in stops."""
    return light * np.exp2([warmth_ev - green_cast_ev, 0.0, -warmth_ev - green_cast_ev])


def resize(light: Light, height: int, width: int) -> Light:
    """Resample each channel to another size (bicubic, with a wider filter when it shrinks, so nothing aliases)."""
    if light.shape[:2] == (height, width):
        return light
    channels = [
        Image.fromarray(channel.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
        for channel in np.moveaxis(light, -1, 0)
    ]
    return np.stack([np.asarray(channel, dtype=np.float64) for channel in channels], axis=-1)


def add_noise(light: Light, poisson: float, gaussian: float, generator: np.random.Generator) -> Light:
    """Add photon and read-out noise of variance ``poisson x + gaussian^2`` at light x.

    A Gaussian of the same variance approximates the Poisson part, as is usual for sensors (Foi et al. 2008, "Practical
    Poissonian-Gaussian noise modeling and fitting for single-image raw-data", Eq. 4).
    """
    deviation = np.sqrt(poisson * np.maximum(light, 0) + gaussian**2)
    return light + deviation * generator.standard_normal(light.shape)


def sharpen(picture: Light, strength: float, sigma_px: float) -> Light:
    """Add what a blur would remove (unsharp mask); edges get a halo of about ``sigma_px``."""
    return picture + strength * (picture - blur(picture, sigma_px))


def quantise(picture: Light) -> Pixels:
    """Return values of 0 to 1 as uint8; values outside are clipped."""
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def compress(picture: Pixels, quality: int) -> Pixels:
    """Store a picture as a JPEG of this quality with halved color resolution (4:2:0), and read it again."""
    stored = io.BytesIO()
    Image.fromarray(picture).save(stored, "JPEG", quality=quality, subsampling="4:2:0")
    with Image.open(stored) as file:
        return np.asarray(file)
