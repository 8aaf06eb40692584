"""Compare the simulated phone with a real one: statistics of DPED's pairs beside those of `data=photos`.

python benchmarks/calibrate_camera.py --dped FOLDER [--sheet sheet.png] [--camera exposure_ev=-1.0 ...]
"""

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from enhance_sweep.data.camera import Camera, srgb_to_linear
from enhance_sweep.data.dped import Dped
from enhance_sweep.data.pairs import Pixels
from enhance_sweep.data.photos import Photos
from enhance_sweep.metrics.ms_ssim import ms_ssim
from enhance_sweep.metrics.psnr import psnr
from enhance_sweep.system.environment import prepare_process

Values = NDArray[np.float64]
Sides = tuple[Pixels, Pixels]

_GRAY = np.array([0.2989, 0.5870, 0.1140])
# Overexposed patches are equal on both sides of DPED: no finite PSNR, nothing to learn about a camera.
_EQUAL_DB = 100.0
_BANDS = ((0.0, 0.0625), (0.0625, 0.125), (0.125, 0.25), (0.25, 0.5))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dped", required=True, help="the folder that holds iphone/")
    parser.add_argument("--sheet", type=Path, help="write real and simulated pairs side by side to this image")
    parser.add_argument("--camera", nargs="*", default=[], metavar="NAME=VALUE", help="try other camera parameters")
    parser.add_argument("--seed", type=int, default=0, help="seed of the simulation")
    parser.add_argument("--shots", type=int, default=4, help="shots per photograph")
    options = parser.parse_args()

    usual = asdict(Camera())
    changed = {name: type(usual[name])(value) for name, value in (item.split("=") for item in options.camera)}
    camera = Camera(**{**usual, **changed})
    with tempfile.TemporaryDirectory() as cache:
        real = Dped(options.dped).load(Path(cache))
        simulated = Photos(camera=camera, seed=options.seed, shots=options.shots).load(Path(cache))
        columns = {
            "DPED": (
                np.concatenate([real.train.input, real.test.input]),
                np.concatenate([real.train.target, real.test.target]),
            ),
            "simulated train": (simulated.train.input[:], simulated.train.target[:]),
            "simulated test": (simulated.test.input[:], simulated.test.target[:]),
        }
        table = {name: statistics(*sides) for name, sides in columns.items()}
        if options.sheet:
            contact_sheet(list(columns.values())).save(options.sheet)
    print(f"| {'':<44} | " + " | ".join(f"{name:>15}" for name in table) + " |")
    print(f"| {'-' * 44} | " + " | ".join("-" * 14 + ":" for _ in table) + " |")
    for row in next(iter(table.values())):
        print(f"| {row:<44} | " + " | ".join(f"{column[row]:>15.3f}" for column in table.values()) + " |")


def statistics(input: Pixels, target: Pixels) -> dict[str, float]:
    """Return what describes a camera against another, from N aligned pairs of (N, H, W, 3)."""
    scores_db = psnr(_tensor(input), _tensor(target)).numpy()
    differ = scores_db < _EQUAL_DB
    similarity = ms_ssim(_tensor(input), _tensor(target)).numpy()
    before, after = input / 255.0, target / 255.0
    contrast = [side.std((1, 2)).mean() for side in (before, after)]
    saturation = [(side.max(-1) - side.min(-1)).mean() for side in (before, after)]
    # Stops can be read only where neither side is clipped.
    open_patches = (after.max(-1) < 0.98).mean((1, 2)) > 0.9
    stops = np.log2(_mean_light(input[open_patches]) / _mean_light(target[open_patches]))
    noise = [_noise(side, before, after) for side in (before, after)]
    rows = {
        "PSNR, dB": scores_db[differ].mean(),
        "PSNR, spread over patches, dB": scores_db[differ].std(),
        "MS-SSIM": similarity.mean(),
        "MS-SSIM, spread over patches": similarity.std(),
        "PSNR after the best global color map, dB": _psnr_db(
            _best_color_map(before[differ], after[differ]), after[differ]
        ),
        "PSNR after the best affine map per patch, dB": _psnr_db(
            _best_affine(before[differ], after[differ]), after[differ]
        ),
        "target brightness": after.mean(),
        **{
            f"shift of {name}, input - target": shift
            for name, shift in zip(("red", "green", "blue"), (before - after).mean((0, 1, 2)), strict=True)
        },
        "exposure, stops of green": stops[:, 1].mean(),
        "exposure, spread over patches, stops": stops[:, 1].std(),
        "green over red, stops": (stops[:, 1] - stops[:, 0]).mean(),
        "green over red, spread, stops": (stops[:, 1] - stops[:, 0]).std(),
        "green over blue, stops": (stops[:, 1] - stops[:, 2]).mean(),
        "green over blue, spread, stops": (stops[:, 1] - stops[:, 2]).std(),
        "input where the target is below 0.1": before[after < 0.1].mean(),
        "input where the target is 0.45 to 0.55": before[(after > 0.45) & (after < 0.55)].mean(),
        "input where the target is above 0.9": before[after > 0.9].mean(),
        "contrast, input / target": contrast[0] / contrast[1],
        "saturation, input / target": saturation[0] / saturation[1],
    }
    for (low, high), ratio in zip(_BANDS, _power(before) / _power(after), strict=True):
        rows[f"power at {low} to {high} /px, input / target"] = ratio
    rows["noise of the input where flat, of 255"] = noise[0] * 255
    rows["noise of the target where flat, of 255"] = noise[1] * 255
    return {name: float(value) for name, value in rows.items()}


def contact_sheet(columns: list[Sides], rows: int = 8, pairs: int = 3) -> Image.Image:
    """Draw random pairs, input left of target; real ones in the left third, simulated train and test beside them."""
    generator = np.random.default_rng(0)
    blocks = []
    for input, target in columns:
        chosen = generator.permutation(len(input))[: rows * pairs].reshape(rows, pairs)
        size = input.shape[1]
        gap, wide_gap = (np.full((size, width, 3), 255, np.uint8) for width in (6, 30))
        lines = [
            np.concatenate([part for index in line for part in (input[index], target[index], gap)] + [wide_gap], axis=1)
            for line in chosen
        ]
        blocks.append(np.concatenate(lines))
    return Image.fromarray(np.concatenate(blocks, axis=1))


def _tensor(patches: Pixels) -> torch.Tensor:
    return torch.from_numpy(patches.copy()).permute(0, 3, 1, 2).float() / 255


def _mean_light(patches: Pixels) -> Values:
    mean: Values = srgb_to_linear(patches).mean((1, 2))
    return mean


def _psnr_db(first: Values, second: Values) -> float:
    return float((-10 * np.log10(((np.clip(first, 0, 1) - second) ** 2).mean((1, 2, 3)))).mean())


def _best_color_map(before: Values, after: Values) -> Values:
    """Fit one cubic polynomial of R, G and B to all pixels: what a network does with no look at its surroundings."""

    def terms(colors: Values) -> Values:
        r, g, b = colors.T
        return np.stack([r**i * g**j * b**k for i in range(4) for j in range(4 - i) for k in range(4 - i - j)], axis=1)

    colors, wanted = before.reshape(-1, 3), after.reshape(-1, 3)
    chosen = np.random.default_rng(0).choice(len(colors), 200_000, replace=False)
    weights = np.linalg.lstsq(terms(colors[chosen]), wanted[chosen], rcond=None)[0]
    return np.stack([terms(patch.reshape(-1, 3)) @ weights for patch in before]).reshape(before.shape)


def _best_affine(before: Values, after: Values) -> Values:
    """Fit gain and offset to each channel of each patch: what is left is blur, noise and misalignment."""
    means = before.mean((1, 2), keepdims=True), after.mean((1, 2), keepdims=True)
    centred = before - means[0], after - means[1]
    gain = (centred[0] * centred[1]).sum((1, 2), keepdims=True) / (centred[0] ** 2).sum((1, 2), keepdims=True).clip(
        1e-9
    )
    fitted: Values = centred[0] * gain + means[1]
    return fitted


def _power(patches: Values) -> Values:
    """Return the geometric mean over patches of the luma's power in each band of spatial frequency."""
    height, width = patches.shape[1:3]
    window = np.hanning(height)[:, None] * np.hanning(width)
    gray = patches @ _GRAY
    power = np.abs(np.fft.fft2((gray - gray.mean((1, 2), keepdims=True)) * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    bands = [power[:, (frequency > low) & (frequency <= high)].mean(1) for low, high in _BANDS]
    mean: Values = np.exp(np.log(np.stack(bands) + 1e-6).mean(1))
    return mean


def _noise(side: Values, before: Values, after: Values) -> float:
    """Return the median deviation of a side's fine structure, in the patches that are flat and not clipped."""
    smooth = after - gaussian_filter(after, (0, 3, 3, 0))
    usable = (after.mean((1, 2, 3)) < 0.95) & (before.mean((1, 2, 3)) > 0.05)
    roughness = smooth.std((1, 2)).max(-1)
    flat = usable & (roughness <= np.quantile(roughness[usable], 0.05))
    fine = side[flat] - gaussian_filter(side[flat], (0, 1.5, 1.5, 0))
    return float(np.median(fine.std((1, 2))))


if __name__ == "__main__":
    prepare_process()
    main()
