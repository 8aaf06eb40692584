"""The cache: whole or made again, whatever happened to it."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from enhance_sweep.data import dped, packing
from enhance_sweep.data.dped import Dped
from enhance_sweep.data.packing import default_cache_dir
from enhance_sweep.data.pairs import DataError, Pairs

_LOAD = """
import logging, sys
from pathlib import Path
from enhance_sweep.data import dped
decode = dped.decode_patch
def instead(path):
    %s
    return decode(path)
dped.decode_patch = instead
logging.basicConfig(level=logging.INFO, format="%%(message)s")
print(dped.Dped(sys.argv[1]).load(Path(sys.argv[2])).fingerprint, flush=True)
"""
# Each runs in its own process. One says so and waits for a line before it decodes the first test patch.
_PACK_AND_PAUSE = _LOAD % 'path.match("test_data/*/iphone/0.jpg") and (print("packing", flush=True), input())'
# The other is not able to decode.
_LOAD_ONLY = _LOAD % 'raise SystemExit("this process decoded")'
_LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))" + _LOAD % "pass"


def _start(script: str, *arguments: Path) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def _entries(cache: Path) -> list[Path]:
    return [folder for folder in (cache / "packed").iterdir() if folder.is_dir()]


def _assert_same(first: Pairs, second: Pairs) -> None:
    assert first.fingerprint == second.fingerprint
    for one, other in ((first.train, second.train), (first.test, second.test)):
        assert one.names == other.names
        np.testing.assert_array_equal(one.input, other.input)
        np.testing.assert_array_equal(one.target, other.target)


def _refuse_to_decode(path: Path) -> None:
    raise AssertionError(f"{path} was decoded again")


def test_second_load_decodes_nothing(dped_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Dped(str(dped_root)).load(tmp_path / "cache")
    monkeypatch.setattr(dped, "decode_patch", _refuse_to_decode)
    _assert_same(Dped(str(dped_root)).load(tmp_path / "cache"), first)


def test_arrays_are_read_only_memory_maps(dped_root: Path, tmp_path: Path) -> None:
    pairs = Dped(str(dped_root)).load(tmp_path / "cache")
    for array in (pairs.train.input, pairs.train.target, pairs.test.input, pairs.test.target):
        assert isinstance(array, np.memmap)
        assert not array.flags.writeable


def test_shows_a_progress_bar_on_stderr(dped_root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Dped(str(dped_root)).load(tmp_path / "cache")
    shown = capfd.readouterr()
    assert "Packing iphone train pairs: 100%" in shown.err
    assert shown.out == ""


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("train_target.npy", lambda content, _: content[: len(content) // 2]),
        ("test_input.npy", None),
        ("train_input.npy", lambda _, entry: (entry / "test_input.npy").read_bytes()),
        ("manifest.json", None),
        ("manifest.json", lambda content, _: content[:-40]),
        ("manifest.json", lambda content, _: re.sub(rb'"0",\s*', b"", content, count=1)),  # one of the names
        ("manifest.json", lambda *_: b"[]"),
    ],
)
def test_damaged_entry_is_packed_again(name: str, change: Any, dped_root: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    whole = Dped(str(dped_root)).load(tmp_path / "other cache")
    Dped(str(dped_root)).load(cache)
    (entry,) = _entries(cache)
    before = (entry / name).read_bytes()
    if change is None:
        (entry / name).unlink()
    else:
        (entry / name).write_bytes(change(before, entry))
        assert (entry / name).read_bytes() != before
    _assert_same(Dped(str(dped_root)).load(cache), whole)
    assert len(_entries(cache)) == 1


def test_changed_source_is_packed_again(dped_root: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    before = Dped(str(dped_root)).load(cache)
    changed = dped_root / "iphone" / "training_data" / "canon" / "3.jpg"
    Image.new("RGB", (24, 16), "orange").save(changed, quality=95)
    after = Dped(str(dped_root)).load(cache)
    assert after.fingerprint != before.fingerprint
    assert np.abs(after.train.target[3].astype(int) - (255, 165, 0)).max() <= 3


def test_rewriting_the_same_content_keeps_the_fingerprint(dped_root: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    before = Dped(str(dped_root)).load(cache)
    touched = dped_root / "iphone" / "training_data" / "canon" / "3.jpg"
    os.utime(touched, ns=(0, 0))
    after = Dped(str(dped_root)).load(cache)
    assert len(_entries(cache)) == 2, "another modification time must be looked into"
    assert after.fingerprint == before.fingerprint


def test_moved_folder_needs_no_packing(dped_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Dped(str(dped_root)).load(tmp_path / "cache")
    moved = dped_root.rename(tmp_path / "archive")
    monkeypatch.setattr(dped, "decode_patch", _refuse_to_decode)
    _assert_same(Dped(str(moved)).load(tmp_path / "cache"), before)


def test_fingerprint_depends_on_pairing_and_names(dped_root: Path, tmp_path: Path) -> None:
    prints = {Dped(str(dped_root)).load(tmp_path / "cache").fingerprint}
    training = dped_root / "iphone" / "training_data"
    for side in ("iphone", "canon"):
        (training / side / "11.jpg").rename(training / side / "12.jpg")
    prints.add(Dped(str(dped_root)).load(tmp_path / "cache").fingerprint)
    (training / "iphone").rename(training / "swap")
    (training / "canon").rename(training / "iphone")
    (training / "swap").rename(training / "canon")
    prints.add(Dped(str(dped_root)).load(tmp_path / "cache").fingerprint)
    assert len(prints) == 3


def test_killed_packer_leaves_nothing_that_is_read(dped_root: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with _start(_PACK_AND_PAUSE, dped_root, cache) as process:
        assert process.stdout.readline() == "packing\n"
        partial = _entries(cache)
        assert [folder.suffix for folder in partial] == [".partial"]
        process.send_signal(signal.SIGKILL)
    assert partial[0].is_dir()
    _assert_same(Dped(str(dped_root)).load(cache), Dped(str(dped_root)).load(tmp_path / "other cache"))
    assert [folder.suffix for folder in _entries(cache)] == [""]


def test_folder_of_a_killed_packer_of_another_data_set_is_tidied(dped_root: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    abandoned = cache / "packed" / "photos-0123456789abcdef.partial"
    abandoned.mkdir(parents=True)
    Dped(str(dped_root)).load(cache)
    assert not abandoned.exists()


def test_two_packers_share_one_packing(dped_root: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with _start(_PACK_AND_PAUSE, dped_root, cache) as packer:
        assert packer.stdout.readline() == "packing\n"
        with _start(_LOAD_ONLY, dped_root, cache) as waiting:
            assert waiting.stderr.readline().startswith("waiting for another process that is packing dped-iphone-")
            packer.stdin.write("go on\n")
            packer.stdin.flush()
            fingerprints = {packer.stdout.readline(), waiting.stdout.readline()}
        assert waiting.returncode == 0
    assert packer.returncode == 0
    assert fingerprints == {Dped(str(dped_root)).load(tmp_path / "other cache").fingerprint + "\n"}


def test_live_packer_of_another_data_set_is_left_alone(dped_root: Path, tmp_path: Path) -> None:
    cache, copy = tmp_path / "cache", tmp_path / "copy"
    shutil.copytree(dped_root, copy, copy_function=shutil.copy2)
    os.utime(copy / "iphone" / "training_data" / "canon" / "3.jpg", ns=(0, 0))
    with _start(_PACK_AND_PAUSE, dped_root, cache) as packer:
        assert packer.stdout.readline() == "packing\n"
        other = Dped(str(copy)).load(cache)
        shown, _ = packer.communicate("go on\n")
    assert packer.returncode == 0
    assert shown == other.fingerprint + "\n"


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_file_size_limit_says_no_space(dped_root: Path, tmp_path: Path) -> None:
    with _start(_LIMITED, dped_root, tmp_path / "cache") as process:
        _, shown = process.communicate()
    assert process.returncode == 1
    last = shown.strip().splitlines()[-1]
    assert "DataError: no space for packed pairs in" in last
    assert "ENHANCE_SWEEP_CACHE" in last
    assert _entries(tmp_path / "cache") == []


def test_full_disk_says_no_space(dped_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(packing.os, "posix_fallocate", full, raising=False)
    with pytest.raises(DataError, match=r"no space .* \(No space left on device\): free some"):
        Dped(str(dped_root)).load(tmp_path / "cache")
    assert _entries(tmp_path / "cache") == []


def test_unwritable_cache_folder_is_named(dped_root: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "notes.txt"
    blocked.write_text("a file where the cache's folder should be")
    with pytest.raises(DataError, match=r"cannot be written to .*notes.txt.*ENHANCE_SWEEP_CACHE"):
        Dped(str(dped_root)).load(blocked)


def test_default_cache_dir_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ENHANCE_SWEEP_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_cache_dir() == tmp_path / "own"
    monkeypatch.delenv("ENHANCE_SWEEP_CACHE")
    assert default_cache_dir() == tmp_path / "xdg" / "enhance_sweep"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache_dir() == tmp_path / "home" / ".cache" / "enhance_sweep"
