"""The function on photographs, whatever they are given as."""

import numpy as np
import pytest
import torch
from PIL import Image

from enhance_sweep.enhance import Enhancer
from enhance_sweep.models import PlainGenerator, StridedGenerator
from tests.unit.enhance.picture_files import SRGB, smooth, wide_profile
from tests.unit.enhance.test_enhance_strips import Looks, Unknown, lively

GENERATOR = lively(PlainGenerator(3, 4, 1))
PHOTO = np.random.default_rng(0).integers(0, 256, (21, 34, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def enhancer() -> Enhancer:
    return Enhancer(GENERATOR)


def whole(photo: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return GENERATOR(photo).clamp(0, 1)


def test_arrays_and_tensors_agree_with_the_generator(enhancer: Enhancer) -> None:
    as_float = torch.from_numpy(PHOTO).permute(2, 0, 1).float() / 255
    wanted = whole(as_float[None])
    torch.testing.assert_close(enhancer(as_float), wanted[0], rtol=0, atol=1e-5)
    batch = torch.stack([as_float, as_float.flip(2)])
    torch.testing.assert_close(enhancer(batch), whole(batch), rtol=0, atol=1e-5)
    half = enhancer(as_float.to(torch.float16))
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.float(), wanted[0], rtol=0, atol=2e-3)
    pixels = enhancer(PHOTO)
    assert np.abs(pixels - wanted[0].permute(1, 2, 0).numpy() * 255).max() < 0.51
    as_bytes = torch.from_numpy(PHOTO).permute(2, 0, 1)
    assert torch.equal(enhancer(as_bytes), torch.from_numpy(pixels).permute(2, 0, 1))
    assert enhancer(batch[:0]).shape == (0, 3, 21, 34)


def test_what_is_given_is_not_changed(enhancer: Enhancer) -> None:
    photo = PHOTO.copy()
    photo.flags.writeable = False
    np.testing.assert_array_equal(enhancer(photo[::-1, ::2]), enhancer(np.ascontiguousarray(PHOTO[::-1, ::2])))
    np.testing.assert_array_equal(photo, PHOTO)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "CMYK", "1"])
def test_pictures_keep_what_they_can(enhancer: Enhancer, mode: str) -> None:
    image = smooth().convert(mode) if mode == "P" else smooth(mode=mode)
    image.info["exif"] = b"kept"
    result = enhancer(image)
    assert result.mode == {"P": "RGB", "CMYK": "RGB", "1": "L"}.get(mode, mode)
    assert (result.size, result.info["exif"]) == (image.size, b"kept")
    wanted = Image.fromarray(enhancer(np.asarray(image.convert("RGB"))))
    np.testing.assert_array_equal(result.convert("RGB"), wanted.convert(result.mode).convert("RGB"))
    if mode.endswith("A"):
        np.testing.assert_array_equal(result.getchannel("A"), image.getchannel("A"))


@pytest.mark.parametrize("profile", [SRGB, wide_profile()])
def test_pictures_keep_their_profile(enhancer: Enhancer, profile: bytes) -> None:
    image = smooth()
    image.info["icc_profile"] = profile
    result = enhancer(image)
    assert result.info["icc_profile"] == profile
    plain = np.asarray(enhancer(smooth())).astype(int)
    assert (np.abs(np.asarray(result) - plain).max() > 3) == (profile != SRGB)


@pytest.mark.parametrize(
    "photo",
    [
        *(np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8), "photo.jpg"),
        *(torch.zeros(4, 4, 3), torch.zeros(3, 4, 4, dtype=torch.int32), torch.zeros(3, 4), torch.zeros(3, 0, 4)),
        Image.new("I;16", (4, 4)),
    ],
)
def test_what_is_no_photograph_is_refused(enhancer: Enhancer, photo: object) -> None:
    with pytest.raises(ValueError, match="expected a p"):
        enhancer(photo)  # type: ignore[call-overload]


def test_settings_that_are_not_there_are_named() -> None:
    with pytest.raises(ValueError, match="runtime: expected one of compile, eager"):
        Enhancer(GENERATOR, runtime="magic")
    with pytest.raises(ValueError, match="precision: expected one of fp32, bf16"):
        Enhancer(GENERATOR, precision="int4")


@pytest.mark.parametrize(("runtime", "precision"), [("onnxruntime", "fp32"), ("openvino", "fp32")])
def test_other_runtimes_agree(runtime: str, precision: str) -> None:
    pytest.importorskip(runtime)
    generator = lively(StridedGenerator(3, 4, 4, 1))
    eager, other = Enhancer(generator), Enhancer(generator, runtime, precision)
    for photo in (PHOTO, PHOTO[::-1], PHOTO[:8, :9]):  # the second in the place of the first; the third of another size
        assert np.abs(eager(photo).astype(int) - other(photo)).max() <= 1
    with pytest.raises(ValueError, match=f"{runtime} takes whole images; allow more, or choose eager"):
        Enhancer(generator, runtime, precision, memory_mib=0)(PHOTO)


@pytest.mark.parametrize("runtime", ["eager", "onnxruntime", "openvino"])
def test_lowered_networks_give_the_same_picture(runtime: str) -> None:
    if runtime != "eager":
        pytest.importorskip(runtime)
    generator = lively(StridedGenerator(3, 4, 4, 1))
    lowered, as_written = Enhancer(generator, runtime), Enhancer(generator, runtime, lowered=False)
    assert np.abs(lowered(PHOTO).astype(int) - as_written(PHOTO)).max() <= 1
    layers = {type(layer).__name__ for layer in lowered.runs.modules()}
    assert "ToFewChannels" in layers - {type(layer).__name__ for layer in as_written.runs.modules()}


def test_bf16_is_near() -> None:
    difference = np.abs(Enhancer(GENERATOR)(PHOTO).astype(int) - Enhancer(GENERATOR, precision="bf16")(PHOTO))
    assert 0 < difference.mean() < 2


def test_a_topology_of_unknown_parts_takes_whole_images() -> None:
    enhancer = Enhancer(Unknown(Looks()))
    np.testing.assert_array_equal(enhancer(PHOTO), PHOTO)
    with pytest.raises(ValueError, match=r"Unknown cannot be traced .* allow more, or choose eager"):
        Enhancer(Unknown(Looks()), memory_mib=0)(PHOTO)
