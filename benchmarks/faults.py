"""What each metric sees and what it is blind to: faults made on purpose, scored, as a Markdown table.

    python benchmarks/faults.py

Means over four photographs that are installed with scikit-image. `chroma` is the chroma of the faulty photograph over
that of the right one. The second table ranks the faults by each metric: 1 is what it holds for the worst.
"""

import io
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.color import lab2rgb, rgb2lab
from torch import Tensor

from enhance_sweep.data.installed import installed_file
from enhance_sweep.measures import MEASURES, Measure
from enhance_sweep.metrics import METRICS, chroma
from enhance_sweep.system.environment import prepare_process, usable_cores

PHOTOGRAPHS = ("astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg")
BLUR_PIXELS, NOISE, JPEG_QUALITY, HUE_DEGREES, EXPOSURE_EV = 1.5, 0.03, 30, 30, -0.5

Photograph = NDArray[np.float64]
#: A right photograph to a faulty one and what it is compared with, (H, W, 3) in [0, 1].
Fault = Callable[[Photograph], tuple[Photograph, Photograph]]


def blurred(right: Photograph) -> tuple[Photograph, Photograph]:
    return gaussian_filter(right, (BLUR_PIXELS, BLUR_PIXELS, 0)), right


def noisy(right: Photograph) -> tuple[Photograph, Photograph]:
    return right + np.random.default_rng(0).normal(0, NOISE, right.shape), right


def compressed(right: Photograph) -> tuple[Photograph, Photograph]:
    file = io.BytesIO()
    Image.fromarray(np.round(right * 255).astype(np.uint8)).save(file, "JPEG", quality=JPEG_QUALITY)
    return np.asarray(Image.open(file)) / 255, right


def gray(right: Photograph) -> tuple[Photograph, Photograph]:
    return np.broadcast_to(right.mean(axis=2, keepdims=True), right.shape), right


def hue_turned(right: Photograph) -> tuple[Photograph, Photograph]:
    lab, angle = rgb2lab(right), np.deg2rad(HUE_DEGREES)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), np.sin(angle)], [0, -np.sin(angle), np.cos(angle)]])
    return lab2rgb(lab @ turn), right


def shifted(right: Photograph) -> tuple[Photograph, Photograph]:
    return right[:, :-1], right[:, 1:]


def underexposed(right: Photograph) -> tuple[Photograph, Photograph]:
    linear = np.where(right <= 0.04045, right / 12.92, ((right + 0.055) / 1.055) ** 2.4) * 2**EXPOSURE_EV
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055), right


FAULTS: dict[str, Fault] = {
    f"blur, Gaussian of {BLUR_PIXELS} pixels": blurred,
    f"noise, deviation {NOISE}": noisy,
    f"JPEG, quality {JPEG_QUALITY}": compressed,
    "gray": gray,
    f"hue turned by {HUE_DEGREES}° (CIE Lab)": hue_turned,
    "shifted by one pixel": shifted,
    "half a stop darker": underexposed,
}


def main() -> None:
    torch.set_num_threads(usable_cores())
    photographs = [
        np.asarray(Image.open(installed_file(f"skimage/data/{name}")).convert("RGB")) / 255 for name in PHOTOGRAPHS
    ]
    found = {name: scores(fault, photographs) for name, fault in FAULTS.items()}
    print_table("score", {name: [*map(text, MEASURES.values(), of), f"{of[-1]:.2f}"] for name, of in found.items()})
    print()
    print_table("rank", ranks(found))


def scores(fault: Fault, photographs: list[Photograph]) -> list[float]:
    """A mean over photographs for each measure, and at the end of the chroma ratio."""
    each = []
    with torch.inference_mode():
        for photograph in photographs:
            faulty, right = map(tensor, fault(photograph))
            ratio = chroma(faulty) / chroma(right)
            each.append([float(metric(faulty, right)) for metric in METRICS.values()] + [float(ratio)])
    return [float(mean) for mean in np.mean(each, axis=0)]


def tensor(photograph: Photograph) -> Tensor:
    return torch.from_numpy(np.clip(photograph, 0, 1)).permute(2, 0, 1)[None]


def text(measure: Measure, score: float) -> str:
    return f"{score:.{measure.digits}f}"


def ranks(found: dict[str, list[float]]) -> dict[str, list[str]]:
    """The place of each fault, the worst first, by each measure and by how far the chroma ratio is from 1."""
    goodness = np.array(
        [
            [
                score if measure.higher_is_better else -score
                for measure, score in zip(MEASURES.values(), of, strict=False)
            ]
            + [-abs(of[-1] - 1)]
            for of in found.values()
        ]
    )
    places = goodness.argsort(axis=0).argsort(axis=0) + 1
    return {name: [str(place) for place in row] for name, row in zip(found, places, strict=True)}


def print_table(what: str, rows: dict[str, list[str]]) -> None:
    print(f"| {what} | " + " | ".join([*(measure.label for measure in MEASURES.values()), "chroma"]) + " |")
    print("| --- " + "| ---: " * (len(MEASURES) + 1) + "|")
    for name, cells in rows.items():
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    prepare_process()
    main()
