"""Whole or not at all, and a full disk is said to be one."""

import errno
import os
from pathlib import Path
from unittest.mock import Mock

import pytest

from enhance_sweep.system.files import NoSpaceError, remove_leftovers, write_whole


@pytest.mark.parametrize("content", ["text", b"\x00bytes"])
def test_content_arrives(tmp_path: Path, content: str | bytes) -> None:
    write_whole(tmp_path / "new" / "file", content)
    read = (tmp_path / "new" / "file").read_bytes()
    assert read == (content.encode() if isinstance(content, str) else content)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_keeps_what_was_there_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path = tmp_path / "record.json"
    write_whole(path, "before")
    monkeypatch.setattr(os, "fsync", Mock(side_effect=OSError(number, os.strerror(number))))
    with pytest.raises(NoSpaceError, match=r"no space left to write .*record\.json: free some and start the same"):
        write_whole(path, "after")
    assert path.read_text() == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["record.json"]


def test_another_error_stays_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"Not a directory|File exists") as caught:
        write_whole(tmp_path / "file" / "below", "text")
    assert not isinstance(caught.value, NoSpaceError)


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    for name in (".record.json.x1y2.part", "record.json", ".hidden"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    remove_leftovers(tmp_path / "nowhere")
    assert {path.name for path in tmp_path.iterdir()} == {"record.json", ".hidden"}
