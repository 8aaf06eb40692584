"""Shapes, parameter counts and published outputs of the generators."""

import copy
import csv
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from enhance_sweep.metrics import ms_ssim, psnr
from enhance_sweep.models import SRCNN, PlainGenerator, StridedGenerator, rearranged
from enhance_sweep.models.blocks import Conv2d, ConvTranspose2d, same_padding
from enhance_sweep.models.description import describe
from enhance_sweep.models.instance_norm import InstanceNorm2d
from tests.golden import dped_test_patches, published_plain_generator

SIZES = [(1, 1), (1, 2), (2, 1), (3, 5), (7, 10), (13, 4), (16, 16)]


def test_all_published_parameter_counts(shared: Path) -> None:
    rows = list(csv.DictReader((shared / "reference" / "parameter_counts.csv").read_text().splitlines()))
    assert len(rows) == 24
    for row in rows:
        kernel_size, channels, blocks = (int(row[name]) for name in ("kernel_size", "channels", "blocks"))
        prelu = row["prelu"] == "yes"
        generator = (
            PlainGenerator(kernel_size, channels, blocks, prelu)
            if row["topology"] == "plain"
            else StridedGenerator(kernel_size, int(row["strided_kernel_size"]), channels, blocks, prelu)
        )
        assert sum(p.numel() for p in generator.parameters()) == int(row["parameters"]), row


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "generator",
    [
        PlainGenerator(3, 4, 1),
        PlainGenerator(4, 4, 1, prelu=True),
        PlainGenerator(2, 4, 0),
        StridedGenerator(3, 3, 4),
        StridedGenerator(3, 4, 4),
        StridedGenerator(4, 4, 4, prelu=True),
        StridedGenerator(5, 2, 4, blocks=1),
        StridedGenerator(2, 5, 4, blocks=0),
        SRCNN(),
    ],
    ids=repr,
)
def test_any_size_in_is_the_size_out(generator: nn.Module, size: tuple[int, int]) -> None:
    images = torch.rand(2, 3, *size)
    for training in (True, False):
        enhanced = generator.train(training)(images)
        assert enhanced.shape == images.shape
        assert torch.isfinite(enhanced).all()
        assert enhanced.min() >= -0.08
        assert enhanced.max() <= 1.08


@pytest.mark.parametrize("generator", [PlainGenerator(3, 8, 2), StridedGenerator(3, 4, 8)], ids=["plain", "strided"])
def test_memory_layout_and_gradient_mode_change_nothing(generator: nn.Module) -> None:
    generator = copy.deepcopy(generator).double()
    images = torch.rand(1, 3, 40, 36, dtype=torch.float64)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.normal_(std=0.3)
    reference = generator(images).detach()
    last = generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with torch.inference_mode():
        enhanced = last(images.to(memory_format=torch.channels_last))
    torch.testing.assert_close(enhanced, reference, atol=1e-10, rtol=0)


@pytest.mark.parametrize("kernel_size", [2, 3, 4, 5])
@pytest.mark.parametrize("size", [1, 2, 5, 8, 9])
def test_strided_convolutions_pad_as_tensorflow_does(kernel_size: int, size: int) -> None:
    """Brute force: output i of "SAME" is centred so that the odd extra zero comes last."""
    padding = max((-(-size // 2) - 1) * 2 + kernel_size - size, 0)
    signal = torch.rand(size, dtype=torch.float64)
    padded = F.pad(signal, (padding // 2, padding - padding // 2))
    weights = torch.rand(kernel_size, dtype=torch.float64)
    wanted = torch.stack(
        [(padded[i : i + kernel_size] * weights).sum() for i in range(0, len(padded) - kernel_size + 1, 2)]
    )
    assert len(wanted) == -(-size // 2)
    before, after = same_padding(size, kernel_size, 2)
    ours = F.conv1d(F.pad(signal, (before, after)).view(1, 1, -1), weights.view(1, 1, -1), stride=2).flatten()
    torch.testing.assert_close(ours, wanted)


@pytest.mark.parametrize("kernel_size", [2, 3, 4, 5])
@pytest.mark.parametrize("size", [(1, 1), (5, 8), (8, 9)])
def test_transposed_convolution_is_the_strided_ones_gradient(kernel_size: int, size: tuple[int, int]) -> None:
    """TensorFlow defines it so; autograd knows nothing of our cropping."""
    layer = ConvTranspose2d(2, 3, kernel_size).double()
    nn.init.zeros_(layer.bias)
    image = torch.rand(1, 3, *size, dtype=torch.float64, requires_grad=True)
    (top, bottom), (left, right) = (same_padding(side, kernel_size, 2) for side in size)
    shrunk = F.conv2d(F.pad(image, (left, right, top, bottom)), layer.weight, stride=2)
    features = torch.rand_like(shrunk)
    (gradient,) = torch.autograd.grad(shrunk, image, features)
    torch.testing.assert_close(layer(features, image), gradient)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("gradients", [True, False])
def test_instance_norm_is_exact_on_bright_flat_images(memory_format: torch.memory_format, gradients: bool) -> None:
    """E[x^2] - E[x]^2 would cancel here."""
    images = (1 + 0.02 * torch.rand(2, 5, 90, 110, generator=torch.manual_seed(0))).to(memory_format=memory_format)
    norm = InstanceNorm2d(5)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    wide = images.double()
    mean, variance = wide.mean((2, 3), keepdim=True), wide.var((2, 3), correction=0, keepdim=True)
    wanted = (wide - mean) / (variance + 1e-3).sqrt() * norm.weight.view(-1, 1, 1) + norm.bias.view(-1, 1, 1)
    with torch.set_grad_enabled(gradients):
        torch.testing.assert_close(norm(images).double(), wanted, atol=5e-6, rtol=0)


def test_instance_norms_gradients_are_those_of_torchs_own() -> None:
    shape = (2, 3, 5, 7)
    images = torch.randn(shape, dtype=torch.float64).contiguous(memory_format=torch.channels_last).requires_grad_()
    norm = InstanceNorm2d(3).double()
    nn.init.normal_(norm.weight)
    gradient, inputs = torch.randn(shape, dtype=torch.float64), (images, norm.weight, norm.bias)
    wanted = torch.autograd.grad(F.instance_norm(images, None, None, *inputs[1:], eps=1e-3), inputs, gradient)
    torch.testing.assert_close(torch.autograd.grad(norm(images), inputs, gradient), wanted)


@pytest.mark.parametrize(
    ("inputs", "outputs", "kernel_size", "stride"),
    [(8, 3, 9, 1), (5, 3, 1, 1), (4, 4, 3, 1), (2, 1, 11, 1), (1, 6, 11, 4), (1, 6, 4, 4), (4, 6, 3, 2), (3, 2, 5, 2)],
)
def test_a_rearranged_convolution_is_the_same(inputs: int, outputs: int, kernel_size: int, stride: int) -> None:
    layer = Conv2d(inputs, outputs, kernel_size, stride).double().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.randn(2, inputs, 12, 16, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
    images.requires_grad_()
    assert rearranged.is_faster(images, layer.weight, stride)
    found = layer(images)
    with rearranged.as_written():
        wanted = layer(images)
    torch.testing.assert_close(found, wanted)
    gradient, asked = torch.randn_like(wanted), (images, layer.weight, layer.bias)
    torch.testing.assert_close(*(torch.autograd.grad(one, asked, gradient) for one in (found, wanted)))


def test_only_a_training_convolution_is_rearranged(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is timed, scored and exported is the convolution as it is written."""
    monkeypatch.setattr(rearranged, "conv2d", Mock(side_effect=RuntimeError("rearranged")))
    images = torch.rand(1, 16, 12, 16).contiguous(memory_format=torch.channels_last)
    layer = Conv2d(16, 3, 9)
    for without_gradients in (torch.no_grad, torch.inference_mode):
        with without_gradients():
            assert layer(images).shape == (1, 3, 12, 16)
    with pytest.raises(RuntimeError, match="rearranged"):
        layer(images)


@pytest.mark.parametrize(("size", "kernel_size", "stride"), [((8, 6), 3, 1), ((8, 8), 2, 1), ((6, 7), 3, 2)])
def test_what_cannot_be_rearranged_is_left_alone(size: tuple[int, int], kernel_size: int, stride: int) -> None:
    images = torch.rand(1, 3, *size).contiguous(memory_format=torch.channels_last)
    layer = Conv2d(3, 3, kernel_size, stride)
    assert not rearranged.is_faster(images, layer.weight, stride)
    assert layer(images).shape == (1, 3, -(-size[0] // stride), -(-size[1] // stride))


def test_trained_in_bf16_the_picture_itself_is_fp32() -> None:
    generator, images = PlainGenerator(3, 8, 1), torch.rand(1, 3, 20, 20)
    with torch.autocast("cpu", torch.bfloat16):
        enhanced = generator(images)
    assert enhanced.dtype == torch.float32
    assert not torch.equal(enhanced, enhanced.bfloat16().float())
    torch.testing.assert_close(enhanced, generator(images), atol=2e-2, rtol=0)


def test_prelu_starts_as_relu() -> None:
    torch.manual_seed(3)
    relu = PlainGenerator(3, 4, 1)
    prelu = PlainGenerator(3, 4, 1, prelu=True)
    missing, unexpected = prelu.load_state_dict(relu.state_dict(), strict=False)
    slopes = [f"{name}.weight" for name, module in prelu.named_modules() if isinstance(module, nn.PReLU)]
    assert (missing, unexpected) == (slopes, []), "the only parameters that ReLU has not"
    images = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(prelu(images), relu(images))


def test_initial_weights_are_the_dped_codes() -> None:
    torch.manual_seed(0)
    generator = PlainGenerator(5, 64, 1)
    convolutions = [m for m in generator.modules() if isinstance(m, nn.Conv2d)]
    weights = torch.cat([m.weight.flatten() for m in convolutions])
    assert weights.abs().max() <= 0.02
    # A normal cut at two deviations keeps 0.880 of its deviation.
    assert float(weights.detach().std()) == pytest.approx(0.0088, rel=0.01)
    assert all((m.bias == 0.01).all() for m in convolutions)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PlainGenerator(0, 16, 1), "kernel_size: expected at least 1, got 0"),
        (lambda: PlainGenerator(3, -1, 1), "channels: expected at least 1, got -1"),
        (lambda: PlainGenerator(3, 16, -1), "blocks: expected at least 0, got -1"),
        (lambda: StridedGenerator(3, 1, 16), "strided_kernel_size: expected at least 2, got 1"),
    ],
)
def test_impossible_sizes_are_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("name", "channels", "blocks", "patches"), [("dped_resnet_64x4", 64, 4, 16), ("dped_resnet_32x2", 32, 2, 100)]
)
def test_published_weights_give_published_outputs_and_scores(
    shared: Path, name: str, channels: int, blocks: int, patches: int
) -> None:
    generator = published_plain_generator(shared, name, channels, blocks)
    input, target = (images[:patches] for images in dped_test_patches(shared))
    with torch.inference_mode():
        enhanced = torch.cat([generator(part) for part in input.split(25)])

    outputs = np.load(shared / "reference" / "golden" / "outputs_test8.npz")[name]
    np.testing.assert_allclose(enhanced[:8].permute(0, 2, 3, 1).numpy(), outputs, atol=1e-4, rtol=0)

    golden = np.load(shared / "reference" / "golden" / "scores_test100.npz")
    wanted = golden[f"{name}__psnr"][:patches].astype(float)
    difference = np.abs(psnr(enhanced.clamp(0, 1), target).numpy() - wanted)
    assert difference[wanted <= 45].max() < 1e-4
    assert difference[wanted > 45].max(initial=0) < 5e-3
    np.testing.assert_allclose(ms_ssim(enhanced, target).numpy(), golden[f"{name}__msssim"][:patches], atol=1e-5)


def test_macs_of_the_baseline_and_the_proposed_network() -> None:
    """The reference gives 737 and 55 GFLOP, two to a multiply-add."""
    assert 2 * describe(PlainGenerator(3, 64, 4))["macs"] == pytest.approx(737e9, rel=1e-3)
    assert 2 * describe(StridedGenerator(3, 4, 16))["macs"] == pytest.approx(55e9, rel=5e-3)


def test_description_counts_by_hand() -> None:
    description = describe(StridedGenerator(3, 4, 2, blocks=0), height=6, width=5)
    by_name = {layer["name"]: layer for layer in description["layers"]}
    assert by_name["head.0"]["macs"] == 9 * 9 * 3 * 2 * 6 * 5
    assert by_name["down1.0"]["macs"] == 4 * 4 * 2 * 4 * 3 * 3
    assert by_name["up2.conv"]["macs"] == 4 * 4 * 4 * 2 * 3 * 3
    assert (by_name["up2.conv"]["height"], by_name["up2.conv"]["width"]) == (6, 5)
    assert description["macs"] == sum(layer["macs"] for layer in description["layers"])
    assert description["parameters"] == sum(layer["parameters"] for layer in description["layers"])
