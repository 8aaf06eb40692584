"""The families after the paper: sizes by hand, published outputs, statistics and matrices by brute force."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from enhance_sweep.metrics import ms_ssim, psnr
from enhance_sweep.models import (
    CoefficientsGenerator,
    SeparableGenerator,
    ShuffledGenerator,
    ToneGenerator,
    UNetGenerator,
)
from enhance_sweep.models.color_matrix import GlobalColor, mixed
from enhance_sweep.models.description import describe
from enhance_sweep.models.instance_norm import NORM_EPS, InstanceNorm2d
from enhance_sweep.models.statistics import EPS, ChannelMoments
from enhance_sweep.weights.loading import load_weights
from tests.golden import dped_test_patches

STUDENT = ["model=separable", "model.contrast=1.2"]
TEACHER = [
    *STUDENT,
    "model.cut=full",
    "model.block_kernel_size=3",
    "model.channels=16",
    "model.blocks=2",
    "model.fuse=true",
]

#: Weights and biases: kernel height x width x inputs x outputs + outputs.
GLOBAL_COLOR = (6 * 16 + 16) + (16 * 12 + 12)


def conv(kernel: int, inputs: int, outputs: int) -> int:
    return kernel * inputs * outputs + outputs


@pytest.mark.parametrize(
    ("make", "parameters", "macs"),
    [
        (
            ShuffledGenerator,
            GLOBAL_COLOR + conv(9, 12, 16) + 4 * conv(9, 16, 16) + conv(9, 16, 12),
            (9 * 12 * 16 + 4 * 9 * 16 * 16 + 9 * 16 * 12) * 640 * 360 + 6 * 16 + 16 * 12,
        ),
        (
            partial(CoefficientsGenerator, 8, 3, 16, 1, "instance", "none", True, False),
            conv(1, 192, 16) + 2 * (conv(9, 16, 16) + 2 * 16) + conv(9, 16, 12) + conv(9, 16, 192),
            (192 * 16 + 2 * 9 * 16 * 16 + 9 * 16 * 12 + 9 * 16 * 192) * 160 * 90,
        ),
        (
            SeparableGenerator,
            conv(7, 3, 8) + conv(7, 8, 8) + conv(7, 8, 16) + 2 * 16 + conv(7, 16, 8) + 2 * 8 + conv(9, 8, 3),
            (7 * 3 * 8 + 7 * 8 * 8 + 2 * 7 * 8 * 16 + 9 * 8 * 3) * 1280 * 720,
        ),
        (
            partial(SeparableGenerator, 7, "depthwise", 5, 8, 1, norm="none"),
            conv(7, 3, 8) + conv(7, 8, 8) + conv(1, 8, 16) + (25 * 16 + 16) + conv(1, 16, 8) + conv(9, 8, 3),
            (7 * 3 * 8 + 7 * 8 * 8 + 8 * 16 + 25 * 16 + 16 * 8 + 9 * 8 * 3) * 1280 * 720,
        ),
        (
            partial(UNetGenerator, 3, 8, 1, global_color=False),
            conv(9, 3, 8)
            + conv(16, 8, 16)
            + conv(9, 16, 16)
            + conv(1, 32, 16)
            + conv(16, 16, 8)
            + conv(9, 8, 8)
            + conv(9, 8, 12),
            (9 * 3 * 8 + 9 * 8 * 8 + 9 * 8 * 12) * 640 * 360
            + (16 * 8 * 16 + 9 * 16 * 16 + 16 * 16 * 8) * 320 * 180
            + 32 * 16,
        ),
        (
            ToneGenerator,
            conv(1, 6, 16) + conv(1, 16, 16) + conv(1, 16, 6) + conv(1, 16, 12),
            6 * 16 + 16 * 16 + 16 * 6 + 16 * 12,
        ),
    ],
    ids=["shuffled", "coefficients", "separable", "depthwise", "unet", "tone"],
)
def test_parameters_and_multiply_adds_counted_by_hand(
    make: Callable[[], nn.Module], parameters: int, macs: int
) -> None:
    described = describe(make())
    assert described["parameters"] == parameters
    assert described["macs"] == macs


@pytest.mark.parametrize(("name", "overrides"), [("student", STUDENT), ("teacher", TEACHER)])
def test_published_ppcn_gives_its_published_outputs(shared: Path, name: str, overrides: list[str]) -> None:
    golden = shared / "reference" / "golden"
    network = load_weights(golden / f"ppcn_{name}.npz", overrides)
    with np.load(golden / f"ppcn_{name}.npz") as weights:
        assert sum(one.numel() for one in network.parameters()) == sum(weights[one].size for one in weights)
    input, target = dped_test_patches(shared)
    with np.load(golden / "ppcn_outputs_test8.npz") as outputs, torch.inference_mode():
        wanted = torch.from_numpy(outputs[name]).permute(0, 3, 1, 2)
        torch.testing.assert_close(network(input[:8]), wanted, rtol=0, atol=1e-4)
        enhanced = network(input)
    with np.load(golden / "ppcn_scores_test100.npz") as scores:
        np.testing.assert_allclose(ms_ssim(enhanced, target), scores[f"{name}__msssim"], atol=1e-4)
        wanted_db = scores[f"{name}__psnr"]
        compared = wanted_db < 45  # above, float32 decides
        assert compared.sum() > 90
        np.testing.assert_allclose(psnr(enhanced.clamp(0, 1), target)[compared], wanted_db[compared], atol=5e-3)


def test_published_srcnn_gives_its_published_scores(shared: Path) -> None:
    golden = shared / "reference" / "golden"
    network = load_weights(golden / "dped_srcnn.npz", ["model=srcnn"])
    input, target = dped_test_patches(shared)
    with torch.inference_mode():
        enhanced = network(input)
    assert float(ms_ssim(enhanced, target).mean()) == pytest.approx(0.9155, abs=1e-4)


class TestColorMatrix:
    def test_each_pixel_times_its_matrix(self) -> None:
        image, matrix = torch.rand(2, 3, 4, 5, dtype=torch.float64), torch.rand(2, 12, 4, 5, dtype=torch.float64)
        wanted = torch.empty_like(image)
        for n, y, x in np.ndindex(2, 4, 5):
            numbers = matrix[n, :, y, x].view(4, 3).T  # (to, from)
            wanted[n, :, y, x] = numbers[:, :3] @ image[n, :, y, x] + numbers[:, 3]
        torch.testing.assert_close(mixed(image, matrix), wanted)

    def test_the_whole_photograph_has_one(self) -> None:
        torch.manual_seed(0)
        color, image = GlobalColor(), torch.rand(1, 3, 16, 16)
        changed = color(image)
        flat = torch.cat([image.flatten(2), torch.ones(1, 1, 256)], dim=1)[0]
        _, residuals, *_ = np.linalg.lstsq(flat.T.numpy(), changed.flatten(2)[0].T.detach().numpy())
        assert residuals.max() < 1e-8, "a single affine map gives every pixel"


class TestStatistics:
    def test_moments_of_every_fourth_pixel(self) -> None:
        features = torch.rand(2, 5, 11, 13, dtype=torch.float64)
        sampled = features.numpy()[:, :, ::4, ::4]
        found = ChannelMoments(4)(features)
        assert found.shape == (2, 10, 1, 1)
        np.testing.assert_allclose(found[:, :5, 0, 0], sampled.mean((2, 3)))
        np.testing.assert_allclose(found[:, 5:, 0, 0], np.sqrt(sampled.var((2, 3)) + EPS))

    @pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
    def test_a_sampled_norm(self, layout: torch.memory_format) -> None:
        features = torch.rand(2, 5, 9, 13, dtype=torch.float64).to(memory_format=layout)
        norm = InstanceNorm2d(5, step=4).double()
        with torch.no_grad():
            norm.weight.uniform_()
            norm.bias.uniform_()
        mean, variance = (
            torch.from_numpy(of(features.numpy()[:, :, ::4, ::4], axis=(2, 3), keepdims=True))
            for of in (np.mean, np.var)
        )
        weight, bias = norm.weight[:, None, None], norm.bias[:, None, None]
        wanted = (features - mean) / (variance + NORM_EPS).sqrt() * weight + bias
        torch.testing.assert_close(norm(features), wanted)


def test_curves_leave_black_and_white() -> None:
    torch.manual_seed(0)
    network = ToneGenerator(terms=3)
    nn.init.zeros_(network.matrix.weight)
    nn.init.zeros_(network.matrix.bias)
    image = torch.rand(1, 3, 8, 8).round()
    torch.testing.assert_close(network(image), image)


def test_the_contrast_is_raised_around_each_channel_s_mean() -> None:
    image = torch.rand(1, 3, 8, 8) / 4 + 0.3
    seen: list[Tensor] = []
    network = SeparableGenerator(contrast=1.5)
    network.head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network(image)
    mean = image.mean((2, 3), keepdim=True)
    torch.testing.assert_close(seen[0] - mean, 1.5 * (image - mean))


def test_dilation_halves_from_the_last_block_backwards() -> None:
    network = SeparableGenerator(blocks=3, dilation=2)
    assert [block.branch[0].dilation for block in network.blocks] == [(1, 1), (1, 1), (2, 2)]  # type: ignore[index]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ShuffledGenerator(factor=1), "factor: expected at least 2, got 1"),
        (lambda: CoefficientsGenerator(channels=0), "channels: expected at least 1, got 0"),
        (lambda: SeparableGenerator(contrast=0.0), "contrast: expected a positive number, got 0.0"),
        (lambda: SeparableGenerator(dilation=0), "dilation: expected at least 1, got 0"),
        (lambda: UNetGenerator(depth=0), "depth: expected at least 1, got 0"),
        (lambda: ToneGenerator(terms=0), "terms: expected at least 1, got 0"),
        (lambda: ShuffledGenerator(norm="batch"), "norm: expected one of instance, sampled, none, got 'batch'"),  # type: ignore[arg-type]
        (lambda: CoefficientsGenerator(gate="chanel"), "gate: expected one of none, channel, spatial, got 'chanel'"),  # type: ignore[arg-type]
        (lambda: SeparableGenerator(cut="row"), "cut: expected one of row_column, full, depthwise, got 'row'"),  # type: ignore[arg-type]
        (lambda: UNetGenerator(skip="concatenate"), "skip: expected one of multiply, add, got 'concatenate'"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_is_refused_by_name(make: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("make", [ShuffledGenerator, CoefficientsGenerator, UNetGenerator, ToneGenerator])
def test_they_run_in_bf16(make: type[nn.Module]) -> None:
    torch.manual_seed(0)
    network, image = make(), torch.rand(1, 3, 20, 24)
    with torch.inference_mode():
        wanted = network(image)
        found = network.to(torch.bfloat16)(image.to(torch.bfloat16))
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), wanted, rtol=0, atol=0.05)
