"""Random crops: aligned, repeatable, and the same after an interruption."""

import itertools
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from enhance_sweep.data import crops
from enhance_sweep.data.batches import Batches, to_unit
from enhance_sweep.data.pairs import DataError, Split
from enhance_sweep.data.readahead import ReadAhead


@pytest.fixture
def split() -> Split:
    """Every pixel says where it is: input and target hold the same numbers, shifted by one."""
    values = np.arange(6 * 20 * 24 * 3, dtype=np.int64).reshape(6, 20, 24, 3)
    return Split((values % 251).astype(np.uint8), ((values + 1) % 251).astype(np.uint8), [str(i) for i in range(6)])


def test_input_and_target_are_cut_and_turned_alike(split: Split) -> None:
    batch = Batches(split, batch_size=40, crop_size=8, augment=True, seed=0).at(3)["generator"]
    assert batch["input"].shape == batch["target"].shape == (40, 3, 8, 8)
    assert batch["input"].dtype == torch.uint8
    assert torch.equal((batch["input"].int() + 1) % 251, batch["target"].int())
    assert batch["input"].is_contiguous(memory_format=torch.channels_last)


def test_every_crop_is_one_of_the_eight_turns_of_a_place(split: Split) -> None:
    batches = Batches(split, batch_size=64, crop_size=18, augment=True, seed=1)
    places = {}
    for row, top, left, flip, quarter in itertools.product(range(6), range(3), range(7), (False, True), range(4)):
        pixels = np.rot90(split.input[row, top : top + 18, left : left + 18], quarter)
        places[(pixels[:, ::-1] if flip else pixels).tobytes()] = (flip, quarter)
    seen = set()
    for step in range(4):
        crops = batches.at(step)["generator"]["input"].permute(0, 2, 3, 1).contiguous().numpy()
        seen |= {places[crop.tobytes()] for crop in crops}
    assert len(seen) == 8


def test_without_augmentation_nothing_is_turned(split: Split) -> None:
    crops = Batches(split, 20, 20, False, seed=0).at(0)["generator"]["input"].permute(0, 2, 3, 1)
    rows = {pixels[:, left : left + 20].tobytes() for pixels in split.input for left in range(5)}
    assert all(crop.contiguous().numpy().tobytes() in rows for crop in crops)


def test_every_place_comes(split: Split) -> None:
    """Crops of 18 fit three times from top to bottom and seven times across, the last ones too."""
    places = [crops.draw(np.random.default_rng(seed), split, 200, 18, augment=False) for seed in range(3)]
    assert {int(top) for drawn in places for top in drawn.tops} == set(range(3))
    assert {int(left) for drawn in places for left in drawn.lefts} == set(range(7))
    assert {int(row) for drawn in places for row in drawn.rows} == set(range(6))


def test_a_resumed_stream_goes_on_where_it_stopped(split: Split) -> None:
    whole = Batches(split, 4, 8, True, seed=7, discriminator=True)
    resumed = Batches(split, 4, 8, True, seed=7, discriminator=True, first_step=3)
    for expected, item in zip(itertools.islice(whole, 3, 6), itertools.islice(resumed, 3), strict=True):
        for player in ("generator", "discriminator"):
            for name, value in expected[player].items():
                assert torch.equal(value, item[player][name])


def test_players_steps_and_seeds_have_batches_of_their_own(split: Split) -> None:
    def first(seed: int, step: int, player: str) -> bytes:
        return bytes(Batches(split, 8, 8, True, seed, discriminator=True).at(step)[player]["input"].numpy().tobytes())

    drawn = itertools.starmap(first, itertools.product((0, 1), (0, 1), ("generator", "discriminator")))
    assert len(set(drawn)) == 8


def test_the_coin_is_fair_and_only_the_discriminators(split: Split) -> None:
    item = Batches(split, 2000, 2, False, seed=0, discriminator=True).at(0)
    assert 900 < int(item["discriminator"]["shown_target"].sum()) < 1100
    assert "shown_target" not in item["generator"]
    assert set(Batches(split, 2, 2, False, seed=0).at(0)) == {"generator"}


def test_a_simultaneous_discriminator_shares_the_generators_batch(split: Split) -> None:
    alone = Batches(split, 8, 8, True, seed=3).at(5)["generator"]
    item = Batches(split, 8, 8, True, seed=3, discriminator=True, simultaneous=True).at(5)
    assert set(item) == {"generator"}
    assert torch.equal(item["generator"]["input"], alone["input"])
    assert item["generator"]["shown_target"].shape == (8,)


@pytest.mark.parametrize("augment", [True, False])
def test_a_devices_copy_gives_the_same_crops_as_the_memory_map(split: Split, augment: bool) -> None:
    resident = crops.Resident(split, torch.device("cpu"))
    for seed, side in itertools.product(range(3), (2, 7, 20)):
        places = crops.draw(np.random.default_rng(seed), split, 50, side, augment)
        for ours, wanted in zip(resident.cut(places), crops.cut(split, places), strict=True):
            assert torch.equal(ours, wanted)
            assert ours.is_contiguous(memory_format=torch.channels_last)


def test_a_copy_larger_than_what_is_moved_at_once_is_whole(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crops, "_CHUNK", 4)
    places = crops.draw(np.random.default_rng(0), split, 30, 8, True)
    wanted = crops.cut(split, places)
    assert all(map(torch.equal, crops.Resident(split, torch.device("cpu")).cut(places), wanted))


def test_whole_patches_are_numbered_so_that_the_same_number_is_the_same_target(split: Split) -> None:
    side = split.input.shape[1]
    square = Split(split.input[:, :, :side], split.target[:, :, :side], split.names)
    batch = Batches(square, 200, side, augment=True, seed=0).at(0)["generator"]
    numbers = batch["patches"].tolist()
    assert len(set(numbers)) < 200
    by_number = dict(zip(numbers, batch["target"], strict=True))
    for number, target in zip(numbers, batch["target"], strict=True):
        assert torch.equal(by_number[number], target)
    assert len({target.numpy().tobytes() for target in by_number.values()}) == len(by_number)
    for larger, crop_size in ((square, side - 1), (split, side)):
        assert "patches" not in Batches(larger, 4, crop_size, augment=True, seed=0).at(0)["generator"]


@pytest.fixture
def mapped(tmp_path: Path, split: Split) -> Split:
    """The same, memory-mapped."""
    for name in ("input", "target"):
        np.save(tmp_path / f"{name}.npy", getattr(split, name))
    return Split(*(np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("input", "target")), split.names)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """What the system is asked to have ready: start and length, in bytes."""
    if not hasattr(os, "posix_fadvise"):
        pytest.skip("this system takes no advice on files")
    found: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda _, start, length, __: found.append((start, length)))
    return found


def test_the_disk_is_asked_for_the_rows_of_pixels_of_each_crop(mapped: Split, asked: list[tuple[int, int]]) -> None:
    places = crops.draw(np.random.default_rng(0), mapped, 4, 8, augment=True)
    ReadAhead(mapped)(places)
    positions = np.arange(mapped.input.size).reshape(mapped.input.shape)
    offset = mapped.input.offset  # type: ignore[attr-defined]
    wanted = [positions[row, top : top + 8].ravel() for row, top in zip(places.rows, places.tops, strict=True)]
    assert [(offset + one[0], len(one)) for one in wanted] * 2 == asked  # of the input, and of the target


def test_it_is_asked_for_some_steps_before_they_are_cut(mapped: Split, asked: list[tuple[int, int]]) -> None:
    stream = Batches(mapped, 3, 8, augment=True, seed=0, discriminator=True)._read()
    next(stream)
    assert len(asked) == 9 * 2 * 2 * 3  # steps, players, input and target, crops
    next(stream)
    assert len(asked) == 10 * 2 * 2 * 3


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux lists a process's open files")
def test_a_stream_that_ends_leaves_no_file_open(mapped: Split) -> None:
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - links to what is gone are counted too
    stream = Batches(mapped, 3, 8, augment=True, seed=0)._read()
    next(stream)
    assert len(set(os.listdir("/proc/self/fd")) - before) == 2  # noqa: PTH208
    stream.close()  # type: ignore[attr-defined]
    assert set(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208


def test_batches_are_made_by_another_thread(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    makers, cut = [], crops.cut
    monkeypatch.setattr(crops, "cut", lambda *given: (makers.append(threading.current_thread()), cut(*given))[1])
    stream = iter(Batches(split, 3, 8, augment=True, seed=0))
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert makers
    assert threading.main_thread() not in makers


def test_what_is_no_whole_map_is_not_asked_for(split: Split, mapped: Split, asked: list[tuple[int, int]]) -> None:
    others = [Split(mapped.input[:, :9], mapped.target[:, :9], mapped.names)]
    others.append(Split(mapped.input[1:], mapped.target[1:], mapped.names[1:]))
    for other in (split, *others):
        ReadAhead(other)(crops.draw(np.random.default_rng(0), other, 4, 8, augment=True))
    assert not asked


def test_the_first_rows_of_a_memory_map_are_asked_for(mapped: Split, asked: list[tuple[int, int]]) -> None:
    first = Split(mapped.input[:3], mapped.target[:3], mapped.names[:3])
    ReadAhead(first)(crops.draw(np.random.default_rng(0), first, 4, 8, augment=True))
    assert len(asked) == 2 * 4


def test_a_crop_larger_than_the_patches_is_refused(split: Split) -> None:
    with pytest.raises(DataError, match="crop_size: expected at most 20, the patches', got 21"):
        Batches(split, 2, 21, True, seed=0)


def test_unit_range() -> None:
    assert to_unit(torch.tensor([0, 51, 255], dtype=torch.uint8)).tolist() == pytest.approx([0, 0.2, 1])


PIXELS = np.zeros((2, 8, 8, 3), np.uint8)


@pytest.mark.parametrize(
    ("input", "target", "names", "message"),
    [
        (PIXELS[:, :1], PIXELS, "ab", r"got input \(2, 1, 8, 3\), target"),
        (PIXELS[..., 0], PIXELS[..., 0], "ab", r"one shape \(N, H, W, 3\)"),
        (PIXELS, PIXELS, "abc", "3 names"),
        (PIXELS.astype(np.float32), PIXELS, "ab", "expected uint8, got input float32"),
    ],
)
def test_what_are_no_pairs_are_refused(input: Any, target: Any, names: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Split(input, target, list(names))
