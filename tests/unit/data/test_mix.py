"""Several data sets as one: shares of the crops, nothing copied, and what cannot be mixed."""

import os
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from enhance_sweep.config import check, compose_settings
from enhance_sweep.data import crops
from enhance_sweep.data.batches import Batches
from enhance_sweep.data.dped import Dped
from enhance_sweep.data.joined import Joined
from enhance_sweep.data.mix import Mix, find_mixed, joined
from enhance_sweep.data.pairs import DataError, Pairs, Part, Split
from enhance_sweep.data.readahead import ReadAhead
from enhance_sweep.data.showcase import PHOTOGRAPHS, was_trained_on

#: Of the training crops; the pairs of the three parts are 7, 3 and 20.
SHARES = {"old": 2.0, "new": 1.0, "third": 1.0}


class _Made:
    """A data set whose patches are all of one color, another for each pair; mapped from files as packed ones are."""

    def __init__(self, folder: Path, name: str, first: int, pairs: int, validation: bool = True) -> None:
        self.folder, self.name, self.first, self.pairs = folder, name, first, pairs
        self.side, self.validation = 16, validation

    def load(self, cache_dir: Path) -> Pairs:
        splits = {}
        for offset, split, pairs in ((0, "train", self.pairs), (100, "validation", 2), (120, "test", 3)):
            values = np.arange(pairs, dtype=np.uint8) + self.first + offset
            pixels = np.broadcast_to(values[:, None, None, None], (pairs, self.side, self.side, 3))
            sides = []
            for side in ("input", "target"):
                path = self.folder / f"{self.name}-{split}-{side}.npy"
                np.save(path, np.ascontiguousarray(pixels))
                sides.append(np.load(path, mmap_mode="r"))
            splits[split] = Split(*sides, [str(number) for number in range(pairs)])
        if not self.validation:
            splits["validation"] = None  # type: ignore[assignment]
        description = {"train_scenes": ["cat"], "train_pairs": -1}
        return Pairs(f"{self.name}-set", f"print of {self.name}", **splits, description=description)  # type: ignore[arg-type]


@pytest.fixture
def parts(tmp_path: Path) -> dict[str, _Made]:
    return {
        "third": _Made(tmp_path, "third", 40, 20),
        "old": _Made(tmp_path, "old", 10, 7, validation=False),
        "new": _Made(tmp_path, "new", 30, 3),
    }


@pytest.fixture
def mixed(parts: dict[str, _Made], tmp_path: Path) -> Pairs:
    return Mix(parts, SHARES).load(tmp_path)


def test_splits_are_those_of_all_parts_by_name(mixed: Pairs) -> None:
    assert mixed.dataset == "mix-new-old-third"
    assert mixed.train.names == [
        *(f"new/{number}" for number in range(3)),
        *(f"old/{number}" for number in range(7)),
        *(f"third/{number}" for number in range(20)),
    ]
    assert mixed.train.input[:, 0, 0, 0].tolist() == [*range(30, 33), *range(10, 17), *range(40, 60)]
    assert mixed.validation is not None
    assert mixed.validation.names == ["new/0", "new/1", "third/0", "third/1"]
    assert mixed.test.target[:, 5, 5, 2].tolist() == [150, 151, 152, 130, 131, 132, 160, 161, 162]
    assert mixed.test.parts == (Part("new", 3, 0.25), Part("old", 3, 0.5), Part("third", 3, 0.25))
    assert mixed.shares == {"new": 0.25, "old": 0.5, "third": 0.25}


def test_records_can_say_what_was_mixed(mixed: Pairs) -> None:
    told = mixed.description
    assert (told["train_pairs"], told["validation_pairs"], told["test_pairs"]) == (30, 4, 9)
    assert list(told["parts"]) == ["new", "old", "third"]
    old = told["parts"]["old"]
    assert (old["dataset"], old["fingerprint"], old["share"]) == ("old-set", "print of old", 0.5)
    assert old["train_scenes"] == ["cat"]


def test_fingerprint_is_of_the_parts_and_not_of_their_order_or_shares(
    parts: dict[str, _Made], mixed: Pairs, tmp_path: Path
) -> None:
    turned = Mix(dict(reversed(parts.items())), {"old": 1, "new": 1, "third": 8}).load(tmp_path)
    assert turned.fingerprint == mixed.fingerprint
    assert turned.train.names == mixed.train.names
    loaded = {name: part.load(tmp_path) for name, part in parts.items()}
    changed = joined(loaded | {"new": replace(loaded["new"], fingerprint="another")}, SHARES)
    renamed = joined({name.replace("third", "last"): pairs for name, pairs in loaded.items()}, {**SHARES, "last": 1})
    fewer = joined({name: loaded[name] for name in ("new", "old")}, SHARES | {"third": 0})
    assert len({pairs.fingerprint for pairs in (mixed, changed, renamed, fewer)}) == 4


def test_equal_shares_are_equal_however_they_are_written(parts: dict[str, _Made], tmp_path: Path) -> None:
    both = {name: parts[name] for name in ("old", "new")}
    written = [Mix(both, {"old": old, "new": new}).load(tmp_path).shares for old, new in ((0.3, 0.1), (3, 1), (75, 25))]
    assert written == [{"old": 0.75, "new": 0.25}] * 3


def test_crops_are_drawn_by_share_and_evenly_within_a_part(mixed: Pairs) -> None:
    batches = Batches(mixed.train, batch_size=500, crop_size=8, augment=True, seed=0)
    drawn = Counter(value for step in range(8) for value in batches.at(step)["generator"]["input"][:, 0, 0, 0].tolist())
    colors = range(30, 33), range(10, 17), range(40, 60)
    new, old, third = (sum(drawn[value] for value in values) for values in colors)
    # 4,000 draws: a share of a half has a standard deviation of 32, of a quarter 27.
    assert (new, old, third) == pytest.approx((1000, 2000, 1000), abs=130)
    assert len(drawn) == 30
    assert max(drawn[value] for value in range(40, 60)) < 90


def test_a_part_with_no_share_is_tested_on_and_never_learned_from(parts: dict[str, _Made], tmp_path: Path) -> None:
    mixed = Mix(parts, {"old": 1, "new": 0, "third": 1}).load(tmp_path)
    drawn = Batches(mixed.train, 2000, 8, True, seed=0).at(0)["generator"]["input"][:, 0, 0, 0].tolist()
    assert not set(drawn) & set(range(30, 33))
    assert "new/0" in mixed.test.names


def test_batches_are_a_function_of_seed_and_step(mixed: Pairs) -> None:
    whole = iter(Batches(mixed.train, 6, 8, True, seed=3, discriminator=True))
    later = iter(Batches(mixed.train, 6, 8, True, seed=3, discriminator=True, first_step=2))
    items = [next(whole) for _ in range(4)]
    for expected, item in zip(items[2:], (next(later), next(later)), strict=True):
        for player in ("generator", "discriminator"):
            assert torch.equal(expected[player]["input"], item[player]["input"])
    assert not torch.equal(items[0]["generator"]["input"], items[1]["generator"]["input"])


def test_one_data_set_is_drawn_from_as_before() -> None:
    """Keys of networks that were trained before there were mixes stand, so their batches must, too."""
    pixels = np.zeros((9, 8, 8, 3), np.uint8)
    drawn = crops.draw(np.random.default_rng(5), Split(pixels, pixels, list("abcdefghi")), 4, 3, augment=True)
    rng = np.random.default_rng(5)
    assert drawn.rows.tolist() == rng.integers(9, size=4).tolist()
    assert drawn.tops.tolist() == rng.integers(6, size=4).tolist()


def test_a_devices_copy_gives_the_same_crops(mixed: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crops, "_CHUNK", 4)
    resident = crops.Resident(mixed.train, torch.device("cpu"))
    places = crops.draw(np.random.default_rng(0), mixed.train, 60, 5, True)
    assert all(map(torch.equal, resident.cut(places), crops.cut(mixed.train, places)))
    assert mixed.train.input.nbytes == 30 * 16 * 16 * 3


def test_whole_patches_of_all_parts_are_numbered_apart(mixed: Pairs) -> None:
    batch = Batches(mixed.train, 300, 16, True, seed=0).at(0)["generator"]
    colors: dict[int, set[int]] = {}
    for number, color in zip(batch["patches"].tolist(), batch["input"][:, 0, 0, 0].tolist(), strict=True):
        colors.setdefault(number, set()).add(color)
    assert all(len(some) == 1 for some in colors.values())


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux lists a process's open files")
def test_the_disk_is_asked_for_the_crops_in_each_parts_own_file(mixed: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int, int]] = []

    def advise(file: int, start: int, length: int, _: int) -> None:
        asked.append((str(Path(f"/proc/self/fd/{file}").readlink()), start, length))

    monkeypatch.setattr(os, "posix_fadvise", advise)
    split = mixed.train
    places = crops.draw(np.random.default_rng(1), split, 12, 8, augment=True)
    reader = ReadAhead(split)
    reader(places)
    assert isinstance(split.input, Joined)
    assert isinstance(split.target, Joined)
    wanted = []
    for images in (split.input, split.target):
        for first, array in zip((0, 3, 10), images.arrays, strict=True):
            for row, top in zip(places.rows.tolist(), places.tops.tolist(), strict=True):
                if first <= row < first + len(array):
                    start = array.offset + ((row - first) * 16 + top) * 48  # type: ignore[attr-defined]
                    wanted.append((str(array.filename), start, 8 * 48))  # type: ignore[attr-defined]
    assert sorted(asked) == sorted(wanted)
    assert len(asked) == 24
    reader.close()


def test_nothing_is_copied(mixed: Pairs) -> None:
    assert isinstance(mixed.train.input, Joined)
    assert all(isinstance(array, np.memmap) for array in mixed.train.input.arrays)
    patch = mixed.train.input[12, 2:5, 3:]
    assert np.shares_memory(patch, mixed.train.input.arrays[2])


_INDICES = [0, 3, 29, -1, np.int64(11), slice(1, 12), slice(None), slice(28, 99), np.array([29, 0, 3, 3]), [2, 11]]


@pytest.mark.parametrize("index", [*_INDICES, (10, slice(2, 4)), (slice(2, 5), 0, slice(3))])
def test_joined_arrays_are_indexed_as_one(index: Any, mixed: Pairs) -> None:
    assert isinstance(mixed.train.input, Joined)
    whole = np.concatenate(mixed.train.input.arrays)
    np.testing.assert_array_equal(mixed.train.input[index], whole[tuple(index) if isinstance(index, tuple) else index])


@pytest.mark.parametrize("index", [30, -31])
def test_joined_arrays_have_an_end(index: int, mixed: Pairs) -> None:
    with pytest.raises(IndexError):
        mixed.train.input[index]


def test_parts_with_patches_of_another_size_are_named(parts: dict[str, _Made], tmp_path: Path) -> None:
    parts["new"].side = 20
    with pytest.raises(DataError) as caught:
        Mix(parts, SHARES).load(tmp_path)
    message = str(caught.value)
    assert "data.parts.new has patches of 20x20" in message
    assert "data.parts.old has patches of 16x16" in message
    assert "set data.parts.new.patch_size=16" in message


def test_one_data_set_as_two_parts_is_refused(dped_root: Path, tmp_path: Path) -> None:
    """Its test pairs would count twice, and one part would learn from what the other validates on."""
    same = Mix({"a": Dped(str(dped_root), validation=0), "b": Dped(str(dped_root), validation=0.2)}, {"a": 1, "b": 3})
    with pytest.raises(DataError, match=r"data\.parts\.a and data\.parts\.b are the same pairs.*~data\.parts\.b ~data"):
        same.load(tmp_path / "cache")


def test_an_error_of_a_part_names_the_part(tmp_path: Path, parts: dict[str, _Made]) -> None:
    with pytest.raises(
        DataError, match=r"data\.parts\.dped: data=dped needs data.root=FOLDER.*data is data\.parts\.dped"
    ):
        Mix({"dped": Dped(), "old": parts["old"]}, {"dped": 1, "old": 1}).load(tmp_path)


@pytest.mark.parametrize(
    ("names", "shares", "message"),
    [
        ([], {}, "data.parts has no data set, a mix has two or more: add one, such as"),
        (["old"], {"old": 1}, "data.parts has old, a mix has two or more"),
        (["old", "new"], {"old": 1}, r"give \+data.shares.new=SHARE"),
        (["old", "new"], {"old": 1, "new": 1, "x": 1}, "add the part x, or ~data.shares.x"),
        (["old", "a/b"], {"old": 1, "a/b": 1}, "data.parts.a/b: choose a name of small letters"),
        (["old", "new"], {"old": 1, "new": -1}, "data.shares.new is -1: choose a number, 0 or more"),
        (["old", "new"], {"old": 1, "new": "much"}, "data.shares.new is much: choose a number"),
        (["old", "new"], {"old": 1, "new": None}, "data.shares.new is None: choose a number"),
        (["old", "new"], {"old": 1, "new": float("nan")}, "data.shares.new is nan"),
        (["old", "new"], {"old": 0, "new": 0}, "data.shares are all 0"),
        (["old", "new"], {"old": 1, "new": 1}, r"data.parts.old is None: take a data set, \+data@data.parts.old=KIND"),
    ],
)
def test_impossible_settings_are_named(names: list[str], shares: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Mix(dict.fromkeys(names), shares)


def test_a_mix_within_a_mix_is_refused(parts: dict[str, _Made]) -> None:
    """Its shares would be neither drawn with nor part of the key."""
    with pytest.raises(DataError, match="inner is a mix itself: name its parts beside the others"):
        Mix({"inner": Mix(parts, SHARES), "old": parts["old"]}, {"inner": 1, "old": 1})


def test_a_mix_is_found_in_the_cache_by_its_description(dped_root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(dped_root, other)
    for side in ("iphone", "canon"):
        (other / "iphone" / "training_data" / side / "11.jpg").unlink()
    mixed = Mix({"a": Dped(str(dped_root), validation=0), "b": Dped(str(other), validation=0.2)}, {"a": 1, "b": 3})
    pairs = mixed.load(tmp_path / "cache")
    found = find_mixed(tmp_path / "cache", pairs.description)
    assert found is not None
    assert found.test.names == pairs.test.names
    assert found.shares == {"a": 0.25, "b": 0.75}
    np.testing.assert_array_equal(found.test.input[:], pairs.test.input[:])
    assert find_mixed(tmp_path / "empty", pairs.description) is None


@pytest.mark.parametrize("dataset", ["photos", "own-photos"])
def test_a_photograph_that_a_part_trains_on_is_called_so(dataset: str, parts: dict[str, _Made], tmp_path: Path) -> None:
    loaded = {name: part.load(tmp_path) for name, part in parts.items()}
    mixed = joined(loaded | {"new": replace(loaded["new"], dataset=dataset)}, SHARES)
    trained_on = {photograph.name for photograph in PHOTOGRAPHS if was_trained_on(photograph, mixed)}
    assert trained_on == ({"cat"} if dataset == "photos" else set())


def test_other_data_sets_are_named_on_the_command_line() -> None:
    """As docs/data.md and conf/data/mix.yaml say."""
    overrides = ["data=mix", "+data@data.parts.city=pairs", "data.parts.city.root=/x", "+data.shares.city=0.25"]
    settings = compose_settings([*overrides, "~data.parts.photos", "~data.shares.photos"])
    check(settings)
    assert set(settings.data["parts"]) == {"dped", "city"}
    assert settings.data["shares"] == {"dped": 0.5, "city": 0.25}
    assert settings.data["parts"]["city"]["root"] == "/x"


def test_parts_of_a_split_must_fill_it() -> None:
    pixels = np.zeros((3, 8, 8, 3), np.uint8)
    with pytest.raises(DataError, match="expected parts of 3 pairs in all"):
        Split(pixels, pixels, list("abc"), (Part("old", 2, 1.0),))
