"""What is known of a teacher's own training decides whether it may teach."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from enhance_sweep.config import ConfigError
from enhance_sweep.data import packing
from enhance_sweep.data.packing import Packer
from enhance_sweep.data.pairs import Pairs
from enhance_sweep.records.schema import LearnedFrom
from enhance_sweep.sweep.teacher import _refuse_leaks


class Known:
    """As much of a record, and of a teacher, as matters here."""

    def __init__(self, fingerprint: str, dataset: str = "dped-iphone", data: Mapping[str, Any] | None = None) -> None:
        self.name = "KEY"
        self.record: Any = self
        self.learned_from = LearnedFrom(dataset=dataset, data_fingerprint=fingerprint, loss="fidelity", seed=0)
        self.data = data


def _pack(cache: Path, dataset: str, train: int, test: int) -> Pairs:
    """Packed pairs of noise: the numbers are seeds."""

    def pack(packer: Packer) -> dict[str, Any]:
        for split, seed in (("train", train), ("test", test)):
            packer.allocate(split, [str(number) for number in range(10)], (24, 24))
            for number, patch in enumerate(np.random.default_rng(seed).integers(0, 256, (10, 24, 24, 3), np.uint8)):
                packer.put(split, number, patch, 255 - patch)
        return {}

    return packing.packed(cache, dataset, f"{train}-{test}", pack)


def _check(teacher: Known, pairs: Pairs, cache: Path) -> None:
    _refuse_leaks(teacher, pairs, cache)  # type: ignore[arg-type]


def test_a_teacher_of_the_same_pairs_may_teach_unless_it_learned_from_validation_pairs(tmp_path: Path) -> None:
    pairs = _pack(tmp_path, "dped-iphone", 1, 2)
    ours = pairs.validated_by_last(0.3, 400)
    assert ours.fingerprint.endswith("-v3")
    for count in (3, 4):
        _check(Known(f"{pairs.fingerprint}-v{count}"), ours, tmp_path)
    for fingerprint in (f"{pairs.fingerprint}-v2", pairs.fingerprint):
        with pytest.raises(ConfigError, match=r"teacher KEY learned from dped-iphone with other validation pairs"):
            _check(Known(fingerprint), ours, tmp_path)


def test_training_pairs_in_the_cache_are_compared_with_test_and_validation_pairs(tmp_path: Path) -> None:
    ours = _pack(tmp_path, "city", 1, 2)
    harmless, knowing = _pack(tmp_path, "a", 3, 2), _pack(tmp_path, "b", 2, 5)
    for _ in range(2):  # the second time from the cache
        _check(Known(harmless.fingerprint, "a"), ours, tmp_path)
        with pytest.raises(ConfigError, match=r"of whose training patches 10 have pixels of .* \(city\)"):
            _check(Known(knowing.fingerprint, "b"), ours, tmp_path)
    # Those that it was validated on did not teach it.
    with pytest.raises(ConfigError, match=r"of whose training patches 6 have"):
        _check(Known(f"{knowing.fingerprint}-v4", "b"), ours, tmp_path)
    parts = {
        "parts": {one.dataset: {"dataset": one.dataset, "fingerprint": one.fingerprint} for one in (harmless, knowing)}
    }
    with pytest.raises(ConfigError, match=r"of whose training patches 10 have"):
        _check(Known("of-a-mix", "mix-a-b", parts), ours, tmp_path)


def test_a_part_of_a_mix_may_teach_the_mix(tmp_path: Path) -> None:
    from enhance_sweep.data.mix import joined

    city, dped = _pack(tmp_path, "city", 1, 2), _pack(tmp_path, "dped-iphone", 3, 4).validated_by_last(0.3, 400)
    mix = joined({"city": city, "dped": dped}, {"city": 1, "dped": 1})
    for part in (city, dped):
        _check(Known(part.fingerprint, part.dataset), mix, tmp_path)


def test_what_cannot_be_told_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours = _pack(tmp_path, "city", 1, 2)
    for _ in range(2):
        _check(Known("gone", "own-photos"), ours, tmp_path)
    assert capsys.readouterr().err.count("teacher KEY learned from own-photos (gone), which is not in the cache") == 1
