"""Arrays in the cache: computed once, whole or not at all, and continued after an interruption."""

from pathlib import Path

import numpy as np
import pytest

from enhance_sweep.data import kept
from enhance_sweep.data.kept import is_kept, kept_array
from enhance_sweep.data.pairs import DataError, Pixels

SHAPE = (10, 2, 3, 3)


class Maker:
    """Makes rows that hold their own numbers, and remembers which were asked for; fails at one if told."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.asked: list[tuple[int, int]] = []
        self.fails_at = fails_at

    def __call__(self, first: int, last: int) -> Pixels:
        if self.fails_at is not None and first >= self.fails_at:
            raise RuntimeError("interrupted")
        self.asked.append((first, last))
        rows = np.arange(first, last, dtype=np.uint8).reshape(-1, 1, 1, 1)
        return np.broadcast_to(rows, (last - first, *SHAPE[1:]))


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_CHUNK", 4)


def test_it_is_computed_once_and_read_ever_after(tmp_path: Path) -> None:
    path, maker = tmp_path / "new" / "array.npy", Maker()
    assert not is_kept(path, SHAPE)
    for _ in range(2):
        array = kept_array(path, SHAPE, maker, "making")
        assert array.shape == SHAPE
        assert array[:, 1, 2, 0].tolist() == list(range(10))
        assert not array.flags.writeable
    assert maker.asked == [(0, 4), (4, 8), (8, 10)]
    assert is_kept(path, SHAPE)
    assert sorted(one.name for one in path.parent.iterdir()) == ["array.npy", "array.npy.lock"]


def test_an_interrupted_one_goes_on_where_it_was(tmp_path: Path) -> None:
    path, interrupted, later = tmp_path / "array.npy", Maker(fails_at=8), Maker()
    with pytest.raises(RuntimeError):
        kept_array(path, SHAPE, interrupted, "making")
    assert not path.exists()
    assert kept_array(path, SHAPE, later, "making")[:, 0, 0, 0].tolist() == list(range(10))
    assert interrupted.asked == [(0, 4), (4, 8)]
    assert later.asked == [(8, 10)]


@pytest.mark.parametrize("damaged", [b"", b"no array", None])
def test_what_is_damaged_or_of_another_shape_is_made_again(tmp_path: Path, damaged: bytes | None) -> None:
    path, maker = tmp_path / "array.npy", Maker()
    if damaged is None:
        np.save(path, np.zeros((9, *SHAPE[1:]), np.uint8))
    else:
        path.write_bytes(damaged)
    path.with_name("array.npy.partial").write_bytes(b"cut sh")
    path.with_name("array.npy.done").write_text("7")
    assert kept_array(path, SHAPE, maker, "making")[:, 0, 0, 0].tolist() == list(range(10))
    assert maker.asked[0] == (0, 4)


def test_a_cache_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="ENHANCE_SWEEP_CACHE"):
        kept_array(tmp_path / "file" / "array.npy", SHAPE, Maker(), "making")
