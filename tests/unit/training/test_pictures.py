"""The pictures that evaluation leaves: what the network made, to the last bit, and what it was made from."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from enhance_sweep.data.pairs import Pairs, Split
from enhance_sweep.data.showcase import PHOTOGRAPHS, shots
from enhance_sweep.training import pictures
from enhance_sweep.training.pictures import are_complete, write_pictures


class Brighter(nn.Module):
    """Adds 20 gray levels, beyond white where there is no room; notes what it is called with."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, input: Tensor) -> Tensor:
        assert torch.is_inference_mode_enabled()
        assert 0 <= float(input.min()) <= float(input.max()) <= 1
        self.shapes.append(tuple(input.shape))
        return input + 20 / 255


#: The folder, what its record says, and what the network was called with.
Written = tuple[Path, list[dict[str, object]], Brighter]


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    rng = np.random.default_rng(0)
    input, target = rng.integers(0, 256, (2, 30, 16, 16, 3), dtype=np.uint8)
    split = Split(input, target, [str(number) for number in range(30)])
    return Pairs("photos", "0" * 16, split, split, {"train_scenes": ["cat", "rocket"]})


@pytest.fixture(scope="module")
def written(pairs: Pairs, tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder, generator = tmp_path_factory.mktemp("variant"), Brighter()
    return folder, write_pictures(generator, pairs, folder), generator


def read(path: Path) -> np.ndarray:  # type: ignore[type-arg]
    with Image.open(path) as picture:
        return np.asarray(picture).astype(int)


def test_what_the_network_made_is_kept_to_the_last_bit(written: Written) -> None:
    folder, record, _ = written
    made = {entry["photograph"]: folder / str(entry["file"]) for entry in record if entry["kind"] == "photograph"}
    assert list(made) == [photograph.name for photograph in PHOTOGRAPHS]
    for shot in shots():
        expected = np.minimum(shot.input.astype(int) + 20, 255)
        np.testing.assert_array_equal(read(made[shot.photograph.name]), expected)


def test_the_shot_and_its_photograph_lie_beside_it(written: Written) -> None:
    folder, record, _ = written
    for shot in shots():
        for kind, pixels in (("input", shot.input), ("target", shot.target)):
            (entry,) = [e for e in record if e["kind"] == kind and e.get("photograph") == shot.photograph.name]
            stored = read(folder / str(entry["file"]))
            assert np.abs(stored - pixels).mean() < 3
            assert entry["credit"] == shot.photograph.credit
            assert entry["trained_on"] == (shot.photograph.name in ("cat", "rocket"))


def test_one_photograph_at_a_time_and_none_is_heavy(written: Written) -> None:
    folder, record, generator = written
    sizes = [(1, 3, *shot.input.shape[:2]) for shot in shots()]
    assert generator.shapes[1:] == sizes
    assert max((folder / str(entry["file"])).stat().st_size for entry in record) < 400_000
    assert sorted(path.name for path in (folder / "pictures").iterdir()) == sorted(
        str(entry["file"]).partition("/")[2] for entry in record
    ), "nothing is left beside them"


def test_the_strip_of_patches_shows_untouched_enhanced_and_target(written: Written, pairs: Pairs) -> None:
    folder, record, generator = written
    title = "Untouched, enhanced, target: test patches"
    assert record[0] == {"file": "pictures/patches.jpg", "title": title, "kind": "patches"}
    assert generator.shapes[0] == (8, 3, 16, 16)
    strip = pictures._patches(generator, pairs.test).astype(int)
    assert strip.shape == (48, 128, 3)
    assert read(folder / "pictures/patches.jpg").shape == strip.shape
    untouched, enhanced, target = strip.reshape(3, 16, 8, 16, 3).swapaxes(1, 2)
    np.testing.assert_array_equal(enhanced, np.minimum(untouched + 20, 255))
    for patch, partner in zip(untouched, target, strict=True):
        (number,) = [n for n in range(30) if (pairs.test.input[n] == patch).all()]
        np.testing.assert_array_equal(partner, pairs.test.target[number])


def test_pictures_are_complete_while_all_are_named_and_there(pairs: Pairs, tmp_path: Path) -> None:
    record = write_pictures(Brighter(), pairs, tmp_path)
    assert are_complete(record, tmp_path)
    for entry in record:
        assert not are_complete([other for other in record if other is not entry], tmp_path)
        path = tmp_path / str(entry["file"])
        path.rename(tmp_path / "away")
        assert not are_complete(record, tmp_path)
        (tmp_path / "away").rename(path)
    for none in (None, [], ["pictures/patches.jpg"], [{"title": "x"}]):
        assert not are_complete(none, tmp_path)
