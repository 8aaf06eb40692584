"""Changes of color: the same on both sides, within what was asked for, and from a stream of their own."""

import numpy as np
import pytest
import torch

from enhance_sweep.data.batches import Batches
from enhance_sweep.data.colors import ColorChanges, changed
from enhance_sweep.data.pairs import Split

ALL = ColorChanges(permute_channels=True, channel_gains_ev=0.5, saturation=0.3, exposure_ev=0.5)


@pytest.fixture(scope="module")
def split() -> Split:
    rng = np.random.default_rng(0)
    input, target = (rng.integers(0, 256, (5, 12, 12, 3), dtype=np.uint8) for _ in range(2))
    return Split(input, target, list("abcde"))


def drawn(colors: ColorChanges, count: int = 2000) -> np.ndarray:
    return colors.draw(np.random.default_rng(0), count)


def test_nothing_is_changed_unless_it_is_asked_for() -> None:
    assert not ColorChanges()
    np.testing.assert_array_equal(drawn(ColorChanges(), 3), np.broadcast_to(np.eye(3, dtype=np.float32), (3, 3, 3)))


def test_all_orders_of_the_channels_are_as_frequent() -> None:
    orders, counts = np.unique(drawn(ColorChanges(permute_channels=True)).argmax(axis=1), axis=0, return_counts=True)
    assert len(orders) == 6
    assert counts.min() > 2000 / 6 * 0.8


@pytest.mark.parametrize("name", ["channel_gains_ev", "exposure_ev"])
def test_gains_are_within_their_stops(name: str) -> None:
    gains = np.log2(np.diagonal(drawn(ColorChanges(**{name: 0.5})), axis1=1, axis2=2))
    assert gains.min() == pytest.approx(-0.5, abs=0.01)
    assert gains.max() == pytest.approx(0.5, abs=0.01)
    spread = np.ptp(gains, axis=1).max()
    assert (spread < 1e-5) == (name == "exposure_ev"), "exposure is the same for all channels"


def test_saturation_leaves_gray_alone_and_strengthens_color() -> None:
    matrices = drawn(ColorChanges(saturation=0.3))
    np.testing.assert_allclose(matrices @ np.ones(3), 1, atol=1e-6)
    red = matrices @ [1.0, 0, 0]
    times = red[:, 0] - red[:, 1]
    assert times.min() == pytest.approx(0.7, abs=0.01)
    assert times.max() == pytest.approx(1.3, abs=0.01)
    gray = np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(red @ gray, gray[0], atol=1e-6)  # as bright as before


def test_images_are_mapped_pixel_by_pixel_and_cut_to_their_range() -> None:
    images = torch.rand(4, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    matrices = torch.from_numpy(drawn(ALL, 4))
    result = changed(images.contiguous(memory_format=torch.channels_last), matrices)
    assert result.is_contiguous(memory_format=torch.channels_last)
    for image, matrix, got in zip(images, matrices, result, strict=True):
        wanted = (matrix @ image.flatten(1)).clamp(0, 1).reshape(image.shape)
        torch.testing.assert_close(got, wanted)
    assert result.max() == 1


def test_they_are_a_function_of_seed_and_step_and_leave_all_else_as_it_was(split: Split) -> None:
    def batches(colors: ColorChanges, seed: int = 0) -> Batches:
        return Batches(split, 4, 8, True, seed, colors, discriminator=True)

    without, item, again = (batches(colors).at(3) for colors in (ColorChanges(), ALL, ALL))
    for player in ("generator", "discriminator"):
        assert "colors" not in without[player]
        assert item[player]["colors"].shape == (4, 3, 3)
        for name, value in without[player].items():
            torch.testing.assert_close(item[player][name], value)
        torch.testing.assert_close(item[player]["colors"], again[player]["colors"])
    assert not torch.equal(item["generator"]["colors"], item["discriminator"]["colors"])
    assert not torch.equal(item["generator"]["colors"], batches(ALL).at(4)["generator"]["colors"])
    assert not torch.equal(item["generator"]["colors"], batches(ALL, seed=1).at(3)["generator"]["colors"])


def test_targets_in_changed_colors_do_not_recur(split: Split) -> None:
    whole = [Batches(split, 4, 12, True, 0, colors).at(0)["generator"] for colors in (ColorChanges(), ALL)]
    assert ["patches" in batch for batch in whole] == [True, False]
