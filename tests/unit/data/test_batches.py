"""Random crops: aligned, repeatable, and the same after an interruption."""

import itertools
import os
import threading
from dataclasses import replace
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


# --- a teacher --------------------------------------------------------------------------------------------------------


@pytest.fixture
def taught(split: Split) -> Split:
    """The same pairs with what a teacher made of the inputs: their numbers, shifted by two."""
    return replace(split, taught=((split.input.astype(np.int64) + 2) % 251).astype(np.uint8))


@pytest.fixture
def unlabelled() -> Split:
    """Photographs without partners, larger patches of few values, and what a teacher made of them."""
    values = np.random.default_rng(0).integers(0, 200, (3, 30, 30, 3)).astype(np.uint8)
    return Split(values, values + 2, list("abc"))


def test_taught_targets_are_cut_and_turned_like_the_others(split: Split, taught: Split) -> None:
    plain = Batches(split, 40, 8, True, seed=0, discriminator=True).at(3)
    item = Batches(taught, 40, 8, True, seed=0, discriminator=True).at(3)
    assert torch.equal((item["generator"]["input"].int() + 2) % 251, item["generator"]["taught"].int())
    assert "taught" not in item["discriminator"]
    for player, batch in plain.items():
        assert all(torch.equal(value, item[player][name]) for name, value in batch.items()), "else it is as without"


@pytest.mark.parametrize("simultaneous", [False, True])
def test_the_last_crops_are_of_photographs_without_partners(
    taught: Split, unlabelled: Split, simultaneous: bool
) -> None:
    arguments: dict[str, Any] = {"discriminator": True, "simultaneous": simultaneous}
    batches = Batches(taught, 8, 16, True, 1, **arguments, unlabelled=unlabelled, unlabelled_crops=3)
    item = batches.at(2)
    batch = item["generator"]
    assert batch["input"].shape == batch["taught"].shape == (8, 3, 16, 16)
    assert batch["target"].shape == (5, 3, 16, 16)
    assert torch.equal((batch["input"][:5].int() + 1) % 251, batch["target"].int())
    assert torch.equal((batch["input"][:5].int() + 2) % 251, batch["taught"][:5].int())
    assert torch.equal(batch["input"][5:] + 2, batch["taught"][5:])
    assert batch["input"].is_contiguous(memory_format=torch.channels_last)
    if simultaneous:
        assert batch["shown_target"].shape == (5,)
    else:  # there all patches need a target
        alone = Batches(taught, 8, 16, True, 1, **arguments).at(2)["discriminator"]
        assert all(torch.equal(value, item["discriminator"][name]) for name, value in alone.items())


def test_a_stream_with_a_teacher_goes_on_where_it_stopped_and_is_the_same_on_a_device(
    taught: Split, unlabelled: Split
) -> None:
    arguments: dict[str, Any] = {"unlabelled": unlabelled, "unlabelled_crops": 2}
    whole = Batches(taught, 6, 8, True, 7, **arguments)
    resumed = Batches(taught, 6, 8, True, 7, **arguments, first_step=3)
    resident = Batches(taught, 6, 8, True, 7, **arguments)
    resident.resident = [crops.Resident(one, torch.device("cpu")) for one in (taught, unlabelled)]
    for step, expected, item in zip(range(3, 6), itertools.islice(whole, 3, 6), resumed, strict=False):
        for name, value in expected["generator"].items():
            assert torch.equal(value, item["generator"][name])
            assert torch.equal(value, resident.at(step)["generator"][name])


def test_recurring_taught_targets_are_numbered_apart(split: Split) -> None:
    side = split.input.shape[1]
    square = Split(split.input[:, :, :side], split.target[:, :, :side], split.names, taught=split.target[:, :, :side])
    other = Split(split.target[:2, :, :side], split.input[:2, :, :side], ["x", "y"])
    batch = Batches(square, 900, side, True, 0, unlabelled=other, unlabelled_crops=300).at(0)["generator"]
    seen: dict[int, bytes] = {}
    for number, target in zip(batch["patches"].tolist(), batch["taught"], strict=True):
        assert seen.setdefault(number, target.numpy().tobytes()) == target.numpy().tobytes()
    assert set(seen) == set(range(8 * (6 + 2)))
