"""Many small files at once: in order, complete, and without a word where there are none."""

import math
from pathlib import Path

import pytest

from enhance_sweep.system import files
from enhance_sweep.system.files import contents, files_below, files_in, files_named


@pytest.mark.parametrize("waiting", [0.0, math.inf], ids=["by several threads", "by one"])
def test_contents_come_in_the_order_asked_for_with_none_for_what_cannot_be_read(
    waiting: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_WAITING", waiting)
    paths = [tmp_path / f"{number}.json" for number in range(700)]
    for number, path in enumerate(paths):
        path.write_bytes(str(number).encode())
    paths[3].unlink()
    (tmp_path / "folder").mkdir()
    asked = [str(path) for path in reversed(paths)] + [str(tmp_path / "folder")]
    expected = [None if number == 3 else str(number).encode() for number in reversed(range(700))] + [None]
    assert list(contents(asked)) == expected


def test_files_are_listed_sorted_without_hidden_ones_and_those_half_written(tmp_path: Path) -> None:
    for name in ("b/2.json", "b/1.json", "a/3.json", "a/.4.json.x.part", "a/.5.json", "a/6.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "not a folder").touch()
    found = [str(Path(path).relative_to(tmp_path)) for path in files_below(tmp_path, ".json")]
    assert found == ["a/3.json", "b/1.json", "b/2.json"]
    assert files_in(tmp_path / "b", ".json") == [str(tmp_path / "b" / "1.json"), str(tmp_path / "b" / "2.json")]
    named = [str(Path(path).relative_to(tmp_path)) for path in files_named(tmp_path, "3.json")]
    assert named == ["a/3.json", "b/3.json", "not a folder/3.json"]
    assert files_below(tmp_path / "nowhere", ".json") == files_named(tmp_path / "nowhere", "3.json") == []
    assert files_in(tmp_path / "nowhere", ".json") == []
