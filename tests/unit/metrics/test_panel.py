"""The perceptual metrics: what others computed, what must hold for any image, and what is refused."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.color import deltaE_ciede2000, rgb2lab
from torch import Tensor
from torch.nn import functional as F

from enhance_sweep.measures import MEASURES
from enhance_sweep.metrics import METRICS, ciede2000, dss, gmsd, haarpsi, mdsi, vsi
from enhance_sweep.metrics.ciede2000 import color_difference
from enhance_sweep.metrics.gradients import PREWITT, SCHARR, gradient_magnitude
from enhance_sweep.metrics.haarpsi import _haar
from enhance_sweep.metrics.vsi import _saliencies
from enhance_sweep.stats.paired_scores import MARGIN
from tests.golden import dped_test_patches

Metric = Callable[[Tensor, Tensor], Tensor]

PANEL = ["ciede2000", "haarpsi", "mdsi", "dss", "vsi", "gmsd"]
#: The furthest a score may be from the golden one. They are of float32; ours are closer to what float64 gives.
TOLERANCE = {"ciede2000": 1e-5, "haarpsi": 5e-6, "mdsi": 2e-6, "dss": 1e-4, "vsi": 2e-6, "gmsd": 1e-7}
SYMMETRIC = ["ciede2000", "haarpsi", "dss", "vsi", "gmsd"]
SIZES = [(16, 16), (17, 31), (40, 23), (101, 100)]


def perfect(name: str) -> float:
    return 1.0 if MEASURES[name].higher_is_better else 0.0


def photograph_like(height: int, width: int, seed: int = 0) -> Tensor:
    """Two images with soft shapes, fine detail and color, (2, 3, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    shapes = F.interpolate(torch.rand(2, 3, 6, 6, generator=generator), (height, width), mode="bicubic")
    return (shapes + 0.05 * torch.randn(2, 3, height, width, generator=generator)).clamp(0, 1)


@pytest.fixture(scope="module")
def patches(shared: Path) -> dict[str, tuple[Tensor, Tensor]]:
    """What was scored for the golden values, by the name it has there: images and targets."""
    input, target = dped_test_patches(shared)
    outputs = np.load(shared / "reference" / "golden" / "outputs_test8.npz")["dped_resnet_64x4"]
    gray = target[8:16].mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    return {
        "dped_resnet_64x4_test8": (torch.from_numpy(outputs).permute(0, 3, 1, 2).clamp(0, 1), target[:8]),
        "identity_test8": (input[:8], target[:8]),
        "gray_target_test8to15": (gray, target[8:16]),
    }


# --- what others computed ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PANEL)
@pytest.mark.parametrize("images", ["dped_resnet_64x4_test8", "identity_test8", "gray_target_test8to15"])
def test_scores_of_the_public_package(
    shared: Path, patches: dict[str, tuple[Tensor, Tensor]], name: str, images: str
) -> None:
    golden = np.load(shared / "reference" / "golden" / "panel_test.npz")[f"{images}__{name}"]
    scores = METRICS[name](*patches[images])
    assert scores.dtype == torch.float64
    np.testing.assert_allclose(scores.numpy(), golden, atol=TOLERANCE[name], rtol=0)


#: L, a and b of two colors, and their difference (Sharma, Wu and Dalal 2005, Table 1).
SHARMA = [
    (50, 2.6772, -79.7751, 50, 0, -82.7485, 2.0425),
    (50, 3.1571, -77.2803, 50, 0, -82.7485, 2.8615),
    (50, 2.8361, -74.0200, 50, 0, -82.7485, 3.4412),
    (50, -1.3802, -84.2814, 50, 0, -82.7485, 1.0000),
    (50, -1.1848, -84.8006, 50, 0, -82.7485, 1.0000),
    (50, -0.9009, -85.5211, 50, 0, -82.7485, 1.0000),
    (50, 0, 0, 50, -1, 2, 2.3669),
    (50, -1, 2, 50, 0, 0, 2.3669),
    (50, 2.4900, -0.0010, 50, -2.4900, 0.0009, 7.1792),
    (50, 2.4900, -0.0010, 50, -2.4900, 0.0010, 7.1792),
    (50, 2.4900, -0.0010, 50, -2.4900, 0.0011, 7.2195),
    (50, 2.4900, -0.0010, 50, -2.4900, 0.0012, 7.2195),
    (50, -0.0010, 2.4900, 50, 0.0009, -2.4900, 4.8045),
    (50, -0.0010, 2.4900, 50, 0.0010, -2.4900, 4.8045),
    (50, -0.0010, 2.4900, 50, 0.0011, -2.4900, 4.7461),
    (50, 2.5, 0, 50, 0, -2.5, 4.3065),
    (50, 2.5, 0, 73, 25, -18, 27.1492),
    (50, 2.5, 0, 61, -5, 29, 22.8977),
    (50, 2.5, 0, 56, -27, -3, 31.9030),
    (50, 2.5, 0, 58, 24, 15, 19.4535),
    (50, 2.5, 0, 50, 3.1736, 0.5854, 1.0000),
    (50, 2.5, 0, 50, 3.2972, 0, 1.0000),
    (50, 2.5, 0, 50, 1.8634, 0.5757, 1.0000),
    (50, 2.5, 0, 50, 3.2592, 0.3350, 1.0000),
    (60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644),
    (63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.2630),
    (61.2901, 3.7196, -5.3901, 61.4292, 2.2480, -4.9620, 1.8731),
    (35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645),
    (22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373),
    (36.4612, 47.8580, 18.3852, 36.2715, 50.5065, 21.2231, 1.4146),
    (90.8027, -2.0831, 1.4410, 91.1528, -1.6435, 0.0447, 1.4441),
    (90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381),
    (6.7747, -0.2908, -2.4247, 5.8714, -0.0985, -2.2286, 0.6377),
    (2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082),
]


def test_ciede2000_of_sharmas_pairs_both_ways_round() -> None:
    table = torch.tensor(SHARMA, dtype=torch.float64)
    first, second, wanted = table[:, :3], table[:, 3:6], table[:, 6]
    for difference in (color_difference(first, second), color_difference(second, first)):
        torch.testing.assert_close(difference, wanted, atol=5e-5, rtol=0)


def test_opposite_hues_have_the_mean_that_the_paper_gives_them() -> None:
    """Half a turn apart there are two ways round, and rounding must not choose: the mean is that of a bit less."""
    hue, least = torch.linspace(0, 3.1, 500, dtype=torch.float64), 1e-7
    colors = [
        torch.stack([torch.full_like(hue, 50), 5 * torch.cos(angle), 5 * torch.sin(angle)], dim=1)
        for angle in (hue, hue + torch.pi, hue + torch.pi - least)
    ]
    wanted = color_difference(colors[0], colors[2])
    torch.testing.assert_close(color_difference(colors[0], colors[1]), wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("region", ["any", "blue", "nearly gray", "dark"])
def test_ciede2000_of_random_colors_is_scikit_images(region: str) -> None:
    random = np.random.default_rng(0)
    low, high = {
        "any": (0.0, 1.0),
        "blue": ([0, 0, 0.6], [0.3, 0.3, 1]),
        "nearly gray": (-0.02, 0.02),
        "dark": (0, 0.05),
    }[region]
    first, second = random.uniform(low, high, (2, 3000, 3))
    if region == "nearly gray":
        first, second = (np.clip(colors + random.uniform(0, 1, (3000, 1)), 0, 1) for colors in (first, second))
    wanted = deltaE_ciede2000(rgb2lab(first), rgb2lab(second))
    images = (torch.from_numpy(colors)[:, :, None, None] for colors in (first, second))
    np.testing.assert_allclose(ciede2000(*images).numpy(), wanted, atol=2e-4, rtol=0)


# --- filters against their definitions --------------------------------------------------------------------------------


@pytest.mark.parametrize("smoothing", [PREWITT, SCHARR])
def test_gradients_are_those_of_the_whole_filters(smoothing: tuple[float, float, float]) -> None:
    maps = torch.rand(2, 9, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    across = torch.tensor(smoothing, dtype=torch.float64)[:, None] * torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    both = F.conv2d(maps[:, None], torch.stack([across, across.T])[:, None], padding=1)
    torch.testing.assert_close(gradient_magnitude(maps, smoothing), both.square().sum(dim=1).sqrt())


@pytest.mark.parametrize("size", [2, 4, 8])
def test_haar_coefficients_are_those_of_the_whole_filters(size: int) -> None:
    brightness = torch.rand(2, 1, 11, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    down = torch.full((size, size), 1 / size, dtype=torch.float64)
    down[size // 2 :] *= -1
    padding = (size // 2 - 1, size // 2)
    wanted = F.conv2d(F.pad(brightness, padding * 2), torch.stack([down, down.T])[:, None])
    torch.testing.assert_close(_haar(brightness, size), wanted)


# --- what must hold for any image -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PANEL)
@pytest.mark.parametrize("size", [*SIZES, (520, 400)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_identical_images_are_perfect(name: str, size: tuple[int, int], dtype: torch.dtype) -> None:
    images = photograph_like(*size).to(dtype)
    scores = METRICS[name](images, images.clone())
    exactly = name in ("ciede2000", "mdsi", "gmsd")
    torch.testing.assert_close(scores, torch.full_like(scores, perfect(name)), atol=0 if exactly else 1e-12, rtol=0)


@pytest.mark.parametrize("name", PANEL)
@pytest.mark.parametrize("size", SIZES)
def test_any_size_is_scored_and_worse_images_are_worse(name: str, size: tuple[int, int]) -> None:
    target = photograph_like(*size)
    noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(1))
    losses = [
        (METRICS[name]((target + deviation * noise).clamp(0, 1), target) - perfect(name)).abs()
        for deviation in (0.01, 0.05, 0.2)
    ]
    assert (losses[0] > 0).all()
    assert (losses[0] < losses[1]).all()
    assert (losses[1] < losses[2]).all()


@pytest.mark.parametrize("name", SYMMETRIC)
def test_which_image_comes_first_does_not_matter(name: str) -> None:
    first, second = photograph_like(40, 50), photograph_like(40, 50, seed=1)
    torch.testing.assert_close(METRICS[name](first, second), METRICS[name](second, first), atol=1e-12, rtol=0)


def test_mdsi_tells_an_added_edge_from_a_lost_one() -> None:
    first, second = photograph_like(40, 50), photograph_like(40, 50, seed=1)
    assert ((mdsi(first, second) - mdsi(second, first)).abs() > 1e-4).all()


@pytest.mark.parametrize("name", PANEL)
def test_images_of_a_batch_and_their_layout_do_not_affect_each_other(name: str) -> None:
    target = torch.cat([photograph_like(40, 50, seed) for seed in range(6)])  # more than are computed at once
    enhanced = target.flip(0) * 0.5 + target * 0.5
    alone = torch.cat([METRICS[name](enhanced[[i]], target[[i]]) for i in range(len(target))])
    together = METRICS[name](enhanced.contiguous(memory_format=torch.channels_last), target)
    torch.testing.assert_close(together, alone, atol=1e-6 if name == "vsi" else 1e-12, rtol=0)


@pytest.mark.parametrize("name", PANEL)
def test_inputs_stay_as_they_are_also_in_inference(name: str) -> None:
    with torch.inference_mode():
        enhanced, target = photograph_like(40, 50), photograph_like(40, 50, seed=1)
        kept = enhanced.clone(), target.clone()
        within = METRICS[name](enhanced, target)
        assert torch.equal(enhanced, kept[0])
        assert torch.equal(target, kept[1])
    torch.testing.assert_close(METRICS[name](*(images.clone() for images in kept)), within)


FLAT = {"black": [0, 0, 0], "white": [1, 1, 1], "gray": [0.3, 0.3, 0.3], "orange": [0.9, 0.5, 0.1], "green": [0, 1, 0]}


@pytest.mark.parametrize("name", PANEL)
@pytest.mark.parametrize("size", [(20, 20), (23, 40)])
def test_flat_images_have_scores(name: str, size: tuple[int, int]) -> None:
    flat = [torch.tensor(color, dtype=torch.float32).view(1, 3, 1, 1).expand(1, 3, *size) for color in FLAT.values()]
    structured = photograph_like(*size)[:1]
    for first in [*flat, structured]:
        for second in flat:
            score = float(METRICS[name](first, second))
            assert np.isfinite(score)
            assert -1e-9 <= score <= (101 if name == "ciede2000" else 1 + 1e-9)
            if first is second:
                assert score == pytest.approx(perfect(name), abs=1e-12)


def test_rounding_is_not_salient() -> None:
    shades = torch.rand(40, 3, 1, 1, generator=torch.Generator().manual_seed(0))
    assert (_saliencies(shades.expand(-1, -1, 23, 40)) == 0).all()


def test_flat_images_of_different_color_are_not_the_same_to_vsi() -> None:
    """Nothing is salient in either: each pixel counts alike, and their colors are compared."""
    red, blue = torch.zeros(2, 1, 3, 20, 20)
    red[:, 0], blue[:, 2] = 1, 1
    assert float(vsi(red, blue)) < 0.95


def test_one_step_of_eight_bits_is_seen_by_saliency() -> None:
    """What is called flat in VSI is rounding, not a faint image."""
    flat = torch.full((1, 3, 40, 40), 100 / 255)
    faint = flat.clone()
    faint[:, 0, 10:20, 10:20] = 101 / 255
    assert float(vsi(faint, flat)) < 1 - 1e-3


# --- what each sees ---------------------------------------------------------------------------------------------------


def test_color_is_seen_by_some_and_not_by_others() -> None:
    target = photograph_like(64, 64)
    luma = 0.299 * target[:, 0] + 0.587 * target[:, 1] + 0.114 * target[:, 2]
    gray = luma[:, None].expand_as(target)
    assert (ciede2000(gray, target) > 10).all()
    assert (mdsi(gray, target) > 0.3).all()
    assert (haarpsi(gray, target) < 0.7).all()
    # The brightness is the same, and nothing else counts.
    torch.testing.assert_close(gmsd(gray, target), torch.zeros(2, dtype=torch.float64), atol=1e-6, rtol=0)
    torch.testing.assert_close(dss(gray, target), torch.ones(2, dtype=torch.float64), atol=1e-5, rtol=0)


def test_a_hue_that_turns_further_is_further_away() -> None:
    target = photograph_like(64, 64)
    mean = target.mean(dim=1, keepdim=True)
    turned = [mean + (target.roll(1, dims=1) - mean) * part + (target - mean) * (1 - part) for part in (0.2, 0.5, 1.0)]
    for name in ("ciede2000", "mdsi", "haarpsi", "vsi"):
        losses = [(METRICS[name](images.clamp(0, 1), target) - perfect(name)).abs() for images in turned]
        assert (losses[0] < losses[1]).all(), name
        assert (losses[1] < losses[2]).all(), name


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PANEL)
def test_the_smallest_side_is_scored_and_one_pixel_less_is_refused(name: str) -> None:
    side = MEASURES[name].smallest_side
    for height, width in ((side, side), (side, 4 * side + 1), (4 * side + 1, side)):
        target = photograph_like(height, width)
        scores = METRICS[name]((target + 0.1 * torch.rand(target.shape)).clamp(0, 1), target)
        assert torch.isfinite(scores).all()
        assert (scores != perfect(name)).all()
    for height, width in ((side - 1, 4 * side), (4 * side, side - 1)):
        if side > 1:
            small = torch.rand(1, 3, height, width)
            message = rf"^{MEASURES[name].label} needs images of at least {side}x{side} pixels, got {width}x{height}$"
            with pytest.raises(ValueError, match=message):
                METRICS[name](small, small)


@pytest.mark.parametrize("name", PANEL)
@pytest.mark.parametrize(
    ("enhanced", "target", "message"),
    [
        (torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 32, 33), r"got \(1, 3, 32, 32\) and \(1, 3, 32, 33\)"),
        (torch.zeros(3, 32, 32), torch.zeros(3, 32, 32), "expected two batches"),
        (torch.zeros(1, 1, 32, 32), torch.zeros(1, 1, 32, 32), "expected two batches"),
        (torch.zeros(0, 3, 32, 32), torch.zeros(0, 3, 32, 32), "expected two batches"),
        (torch.zeros(1, 3, 32, 32).byte(), torch.zeros(1, 3, 32, 32).byte(), "divide by 255"),
    ],
)
def test_what_cannot_be_compared_is_refused(name: str, enhanced: Tensor, target: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        METRICS[name](enhanced, target)


# --- how they are described -------------------------------------------------------------------------------------------


def test_every_measure_has_a_function_and_a_description() -> None:
    assert list(METRICS) == list(MEASURES)
    for name, measure in MEASURES.items():
        assert measure.name == name
        assert 0 < measure.margin < 1
        assert round(measure.margin, measure.digits) == measure.margin  # a margin can be read off what is shown
        assert measure.smallest_side >= 1
    assert len({measure.label for measure in MEASURES.values()}) == len(MEASURES)
    assert MARGIN == MEASURES["ms_ssim"].margin == 0.002


@pytest.mark.parametrize("name", list(MEASURES))
def test_a_direction_is_the_functions(name: str) -> None:
    target = photograph_like(40, 40)
    better, worse = ((target + step * (0.5 - target)) for step in (0.1, 0.5))
    improved = METRICS[name](better, target) > METRICS[name](worse, target)
    assert bool(improved.all()) == MEASURES[name].higher_is_better
    assert bool(improved.any()) == MEASURES[name].higher_is_better


def test_measures_need_no_torch() -> None:
    code = "import sys, enhance_sweep.measures; sys.exit(bool({'torch', 'numpy', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
