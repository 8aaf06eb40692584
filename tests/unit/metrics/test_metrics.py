"""PSNR and MS-SSIM against what the public code computed, and against a second implementation."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from enhance_sweep.metrics import chroma, ms_ssim, psnr
from tests.golden import dped_test_patches


def test_scores_of_the_untouched_input(shared: Path) -> None:
    golden = np.load(shared / "reference" / "golden" / "scores_test100.npz")
    input, target = dped_test_patches(shared)
    np.testing.assert_allclose(psnr(input, target).numpy(), golden["identity__psnr"], atol=1e-4)
    np.testing.assert_allclose(ms_ssim(input, target).numpy(), golden["identity__msssim"], atol=1e-5)


def test_published_means(shared: Path) -> None:
    """17.64 dB of the 99 finite, and 0.8613."""
    input, target = dped_test_patches(shared)
    scores = psnr(input, target)
    identical = torch.isposinf(scores)
    assert (len(scores), int(identical.sum())) == (100, 1)
    assert float(scores[~identical].mean()) == pytest.approx(17.64, abs=5e-3)
    assert float(ms_ssim(input, target).mean()) == pytest.approx(0.8613, abs=5e-5)


def slow_ms_ssim(first: np.ndarray, second: np.ndarray) -> float:
    """MS-SSIM of one (H, W, 3) pair in [0, 255], window by window: slow, and plain to see."""
    score = 1.0
    for scale, weight in enumerate([0.0448, 0.2856, 0.3001, 0.2363, 0.1333]):
        height, width = first.shape[:2]
        size = min(11, height, width)
        sigma = 1.5 * size / 11
        offsets = np.arange(size) - (size - 1) / 2
        window = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * sigma**2))
        window = (window / window.sum())[..., None]
        similarities, contrasts = [], []
        for row, column in itertools.product(range(height - size + 1), range(width - size + 1)):
            a, b = (image[row : row + size, column : column + size] for image in (first, second))
            mean_a, mean_b = (a * window).sum((0, 1)), (b * window).sum((0, 1))
            var_a, var_b = (a * a * window).sum((0, 1)) - mean_a**2, (b * b * window).sum((0, 1)) - mean_b**2
            covariance = (a * b * window).sum((0, 1)) - mean_a * mean_b
            contrast = (2 * covariance + 58.5225) / (var_a + var_b + 58.5225)
            contrasts.append(contrast)
            similarities.append(contrast * (2 * mean_a * mean_b + 6.5025) / (mean_a**2 + mean_b**2 + 6.5025))
        score *= (np.mean(similarities) if scale == 4 else np.mean(contrasts)) ** weight
        first, second = (np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), "edge") for image in (first, second))
        first, second = (
            (image[::2, ::2] + image[1::2, ::2] + image[::2, 1::2] + image[1::2, 1::2]) / 4 for image in (first, second)
        )
    return float(score)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (12, 11), (23, 30)])
def test_ms_ssim_window_by_window(size: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(sum(size))
    first = torch.rand(2, 3, *size, generator=generator)
    second = (first + 0.1 * torch.rand(2, 3, *size, generator=generator)).clamp(0, 1)
    scores = ms_ssim(first, second)
    for score, a, b in zip(scores, first, second, strict=True):
        wanted = slow_ms_ssim(*(image.permute(1, 2, 0).double().numpy() * 255 for image in (a, b)))
        assert float(score) == pytest.approx(wanted, abs=1e-9)


def test_identical_images() -> None:
    images = torch.rand(2, 3, 20, 20)
    assert torch.isposinf(psnr(images, images)).all()
    torch.testing.assert_close(ms_ssim(images, images), torch.ones(2, dtype=torch.float64))


def test_a_negative_contrast_says_so_as_a_metric_and_is_clamped_as_a_loss() -> None:
    image = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    negative = (1 - image).requires_grad_()
    assert math.isnan(float(ms_ssim(negative, image)))
    clamped = ms_ssim(negative, image, minimum=1e-3)
    clamped.sum().backward()
    assert 0 < float(clamped) < 0.1
    assert torch.isfinite(negative.grad).all()  # type: ignore[arg-type]


def test_psnr_clips_nothing() -> None:
    beyond, white = torch.full((1, 3, 4, 4), 1.1), torch.ones(1, 3, 4, 4)
    assert float(psnr(beyond, white)) == pytest.approx(20, abs=1e-4)


def test_psnr_is_of_each_image_not_of_the_batch() -> None:
    target = torch.zeros(2, 3, 4, 4)
    enhanced = torch.stack([torch.full((3, 4, 4), 0.1), torch.full((3, 4, 4), 0.01)])
    assert psnr(enhanced, target).tolist() == pytest.approx([20, 40], abs=1e-3)


@pytest.mark.parametrize("metric", [psnr, ms_ssim])
@pytest.mark.parametrize(
    ("enhanced", "target", "message"),
    [
        (torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 5), r"got \(1, 3, 4, 4\) and \(1, 3, 4, 5\)"),
        (torch.zeros(3, 4, 4), torch.zeros(3, 4, 4), "expected two batches"),
        (torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4), "expected two batches"),
        (torch.zeros(0, 3, 4, 4), torch.zeros(0, 3, 4, 4), "expected two batches"),
        (torch.zeros(1, 3, 4, 4).byte(), torch.zeros(1, 3, 4, 4).byte(), "divide by 255"),
    ],
)
def test_what_cannot_be_compared_is_refused(metric: object, enhanced: Tensor, target: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metric(enhanced, target)  # type: ignore[operator]


def test_chroma_is_nothing_for_gray_and_most_for_pure_colors() -> None:
    gray = torch.rand(1, 1, 4, 4, generator=torch.Generator().manual_seed(0)).expand(1, 3, 4, 4)
    red = torch.zeros(1, 3, 4, 4)
    red[:, 0] = 1
    faded = red * 0.5 + 0.25
    values = chroma(torch.cat([gray, red, faded]))
    assert values.tolist() == pytest.approx([0, 2**0.5 / 3, 2**0.5 / 6], abs=1e-6)


def test_chroma_of_the_sample_is_what_others_computed(shared: Path) -> None:
    """`shared/reference`: 0.047 for targets, 0.033 for inputs, pooled over the 100 test pairs."""
    input, target = dped_test_patches(shared)
    for images, wanted in ((target, 0.047), (input, 0.033)):
        assert float(chroma(images).square().mean().sqrt()) == pytest.approx(wanted, abs=5e-4)
