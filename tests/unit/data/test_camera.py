"""Each step of the simulated phone does what its name says, against a computation of its own."""

import io
from dataclasses import asdict, replace

import numpy as np
import pytest
from PIL import Image
from skimage.filters import gaussian

from enhance_sweep.data import camera as steps
from enhance_sweep.data.camera import Camera
from enhance_sweep.data.pairs import DataError, Pixels

# A camera that changes nothing: each test switches on one step of it.
PERFECT = Camera(**dict.fromkeys(asdict(Camera()), 0) | {"resolution": 1, "sharpening_px": 1, "jpeg_quality": 95})


@pytest.fixture(scope="module")
def photograph() -> Pixels:
    """A colored picture of 60x80 with smooth parts and edges."""
    small = np.random.default_rng(5).integers(20, 235, (6, 8, 3), dtype=np.uint8)
    picture = np.array(Image.fromarray(small).resize((80, 60), Image.Resampling.BICUBIC))
    picture[20:40, 30:50] = (200, 60, 40)
    return picture


@pytest.fixture(scope="module")
def light(photograph: Pixels) -> steps.Light:
    return steps.srgb_to_linear(photograph)


def _take(camera: Camera, picture: Pixels, seed: int = 0) -> Pixels:
    return camera.take(picture, np.random.default_rng(seed))


def test_one_seed_gives_one_picture(photograph: Pixels) -> None:
    first = _take(Camera(), photograph, seed=3)
    assert first.dtype == np.uint8
    assert first.shape == photograph.shape
    np.testing.assert_array_equal(_take(Camera(), photograph, seed=3), first)
    assert (_take(Camera(), photograph, seed=4) != first).any()


def test_perfect_camera_only_stores_a_jpeg(photograph: Pixels) -> None:
    np.testing.assert_array_equal(_take(PERFECT, photograph), steps.compress(photograph, 95))


@pytest.mark.parametrize("name", list(asdict(Camera())))
def test_every_parameter_changes_the_picture(name: str, photograph: Pixels) -> None:
    before = replace(PERFECT, sharpening=float(name == "sharpening_px"))
    changed = replace(before, **{name: {"jpeg_quality": 40, "sharpening_px": 3.0}.get(name, 0.5)})
    assert (_take(changed, photograph) != _take(before, photograph)).any()


@pytest.mark.parametrize("height_width", [(1, 1), (1, 7), (5, 3)])
def test_tiny_pictures_keep_their_size(height_width: tuple[int, int]) -> None:
    assert _take(Camera(), np.full((*height_width, 3), 128, np.uint8)).shape == (*height_width, 3)


def test_srgb_is_inverted_exactly() -> None:
    values = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(steps.quantise(steps.linear_to_srgb(steps.srgb_to_linear(values))), values)


def test_srgb_has_its_known_values() -> None:
    # 18 % gray is 118 in sRGB; 10 lies on the straight part, 10 / 255 / 12.92.
    light = steps.srgb_to_linear(np.array([0, 10, 118, 255], np.uint8))
    np.testing.assert_allclose(light, [0, 0.003035, 0.1812, 1], rtol=1e-3)


def test_highlights_invert_a_roll_off() -> None:
    scene = np.linspace(0, 10 / 3, 50)
    rolled_off = scene / (1 + 0.7 * scene)
    np.testing.assert_allclose(steps.undo_highlights(rolled_off, 0.7), scene)


def test_haze_lifts_black_to_a_share_of_the_mean(light: steps.Light) -> None:
    hazy = steps.scatter(light, 0.1)
    np.testing.assert_allclose(hazy.mean((0, 1)), light.mean((0, 1)))
    np.testing.assert_allclose(hazy - 0.9 * light, np.broadcast_to(0.1 * light.mean((0, 1)), light.shape))


def test_blur_is_a_gaussian_of_its_width(light: steps.Light) -> None:
    # Another library's filter, which cuts the Gaussian elsewhere.
    expected = gaussian(light, 1.7, mode="reflect", truncate=6, channel_axis=-1)
    np.testing.assert_allclose(steps.blur(light, 1.7), expected, atol=1e-3)
    spike = np.zeros((41, 41, 3))
    spike[20, 20] = 1
    spread = steps.blur(spike, 2.0)[..., 0].sum(0)
    assert np.sqrt((spread * (np.arange(41) - 20) ** 2).sum()) == pytest.approx(2.0, rel=0.01)


def test_exposure_is_in_stops(light: steps.Light) -> None:
    np.testing.assert_allclose(steps.expose(light, -2), light / 4)


def test_balance_moves_each_channel_by_its_stops() -> None:
    gray = np.full((2, 2, 3), 0.5)
    stops = np.log2(steps.balance(gray, warmth_ev=0.3, green_cast_ev=0.2) / gray)[0, 0]
    np.testing.assert_allclose(stops, [0.1, 0, -0.5], atol=1e-12)


def test_lost_resolution_cannot_be_had_back(light: steps.Light) -> None:
    stripes = np.zeros((40, 40, 3))
    stripes[:, ::2] = 1
    returned = steps.resize(steps.resize(stripes, 20, 20), 40, 40)
    assert np.ptp(returned[:, 8:-8]) < 0.05, "stripes finer than the sensor's pixels become gray"
    smooth = steps.blur(light, 6)
    np.testing.assert_allclose(steps.resize(steps.resize(smooth, 30, 40), 60, 80), smooth, atol=0.01)


@pytest.mark.parametrize("level", [0.0, 0.1, 0.6])
def test_noise_has_its_variance(level: float) -> None:
    noisy = steps.add_noise(np.full((200, 200, 3), level), 0.01, 0.02, np.random.default_rng(0))
    assert noisy.mean() == pytest.approx(level, abs=0.001)
    assert noisy.var() == pytest.approx(0.01 * level + 0.02**2, rel=0.02)


def test_sharpening_draws_a_halo_on_both_sides_of_an_edge() -> None:
    edge = np.full((20, 40, 3), 0.3)
    edge[:, 20:] = 0.7
    sharp = steps.sharpen(edge, 1.0, 2.0)[10, :, 0]
    assert sharp[19] < 0.2
    assert sharp[20] > 0.8
    np.testing.assert_allclose(sharp[[0, 39]], [0.3, 0.7], atol=1e-3)
    # Far beyond the radius nothing happens; the overshoot is the strength times what the blur takes away.
    expected = 2 * edge[10, :, 0] - gaussian(edge[10, :, 0], 2.0, truncate=6, mode="nearest")
    np.testing.assert_allclose(sharp, expected, atol=2e-3)


def test_jpeg_is_stored_at_its_quality_with_halved_color(photograph: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    stored: list[bytes] = []
    real = Image.open
    monkeypatch.setattr(steps.Image, "open", lambda file: (stored.append(file.getvalue()), real(file))[1])
    poor, good = (steps.compress(photograph, quality) for quality in (30, 95))
    with real(io.BytesIO(stored[0])) as file:
        assert file.format == "JPEG"
        # libjpeg's rule: quality 30 multiplies the standard table, whose first entry is 16, by 50/30.
        assert file.quantization[0][0] == round(16 * 50 / 30)  # type: ignore[attr-defined]
        assert [layer[1:3] for layer in file.layer] == [(2, 2), (1, 1), (1, 1)]  # type: ignore[attr-defined]
    assert np.abs(poor.astype(int) - photograph).mean() > 2 * np.abs(good.astype(int) - photograph).mean()


def test_exposure_and_warmth_vary_from_shot_to_shot_as_told() -> None:
    gray = np.full((8, 8, 3), 100, np.uint8)
    camera = replace(PERFECT, exposure_ev=-0.5, exposure_spread_ev=0.4, warmth_ev=0.1, warmth_spread_ev=0.2)
    shots = np.stack([_take(camera, gray, seed=seed) for seed in range(300)])
    stops = np.log2(steps.srgb_to_linear(shots).mean((1, 2)) / steps.srgb_to_linear(gray).mean((0, 1)))
    assert stops[:, 1].mean() == pytest.approx(-0.5, abs=0.1)
    assert stops[:, 1].std() == pytest.approx(0.4, abs=0.06)
    warmth = (stops[:, 0] - stops[:, 2]) / 2
    assert warmth.mean() == pytest.approx(0.1, abs=0.05)
    assert warmth.std() == pytest.approx(0.2, abs=0.03)


def test_blur_and_lost_resolution_take_detail_and_sharpening_gives_contrast_back(photograph: Pixels) -> None:
    whole, blurred, coarse, sharpened = (
        float(np.abs(np.diff(_take(replace(PERFECT, **changes), photograph).astype(float), axis=1)).mean())
        for changes in ({}, {"blur_px": 1.5}, {"resolution": 0.4}, {"blur_px": 1.5, "sharpening": 1.0})
    )
    assert coarse < whole > blurred < sharpened


@pytest.mark.parametrize(
    ("name", "value"),
    [("resolution", 0.0), ("jpeg_quality", 96), ("highlights", 1.0), ("blur_px", -1.0), ("haze", float("nan"))],
)
def test_impossible_values_are_named(name: str, value: float) -> None:
    with pytest.raises(DataError, match=rf"data\.camera\.{name} is .*: choose a value from"):
        replace(Camera(), **{name: value})
