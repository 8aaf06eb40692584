"""Who works on a variant: one at a time, and nobody for ever."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path
from unittest.mock import Mock

import psutil
import pytest

from enhance_sweep.system import leases
from enhance_sweep.system.files import NoSpaceError
from enhance_sweep.system.leases import HeldError, Holder, Lease, LostError, holder_of, lease

KEY = "plain-k3-c16-b1-photos-fidelity-s0-0123abcd"
TAKE_AND_SLEEP = """
import sys, time
from pathlib import Path
from unittest.mock import Mock
from enhance_sweep.system.leases import lease
with lease(Path(sys.argv[1]), sys.argv[2], "train"):
    print("taken", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path: Path) -> "subprocess.Popen[str]":
    """Another process, which holds the lease."""
    command = [sys.executable, "-c", TAKE_AND_SLEEP, str(tmp_path), KEY]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "taken\n"
    return process


def left_by(runs_dir: Path, holder: Holder, age_s: float = 0.0) -> Path:
    """The lease file of a holder, last touched so long ago."""
    path = runs_dir / "leases" / KEY / "000001.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(asdict(holder)))
    when = time.time() - age_s
    os.utime(path, (when, when))
    return path


def elsewhere() -> Holder:
    return replace(Holder.here("train"), host="far-away", system="another boot", process=1)


def taken(runs_dir: Path) -> AbstractContextManager[Lease]:
    return lease(runs_dir, KEY, "train")


def refused(runs_dir: Path, error: type[Exception] = HeldError, match: str = "") -> None:
    with pytest.raises(error, match=match), taken(runs_dir):
        pass


def test_a_lease_is_anothers_until_it_is_given_back(tmp_path: Path) -> None:
    assert holder_of(tmp_path, KEY) is None
    with taken(tmp_path):
        holder = holder_of(tmp_path, KEY)
        assert (holder.process, holder.work) == (os.getpid(), "train")
        refused(tmp_path, match=f"held by process {os.getpid()} on ")
        with lease(tmp_path, "another", "train"):
            pass
    assert holder_of(tmp_path, KEY) is None
    assert list((tmp_path / "leases").iterdir()) == []


def test_it_is_given_back_when_the_work_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), lease(tmp_path, KEY, "train"):
        1 / 0  # noqa: B018
    assert holder_of(tmp_path, KEY) is None


def test_the_lease_of_a_killed_process_is_free_at_once(tmp_path: Path, other: "subprocess.Popen[str]") -> None:
    holder = holder_of(tmp_path, KEY)
    assert holder.process == other.pid
    refused(tmp_path)
    other.kill()
    other.wait()
    assert holder_of(tmp_path, KEY) is None
    with taken(tmp_path):
        assert [path.name for path in (tmp_path / "leases" / KEY).iterdir()] == ["000002.json"]


def test_another_process_of_the_same_number_is_not_the_holder(tmp_path: Path) -> None:
    left_by(tmp_path, replace(Holder.here("train"), began=1.0))
    assert holder_of(tmp_path, KEY) is None


@pytest.mark.parametrize(("age_s", "held"), [(leases.EXPIRES_S / 2, True), (leases.EXPIRES_S + 5, False)])
def test_of_another_machine_only_silence_tells(tmp_path: Path, age_s: float, held: bool) -> None:
    left_by(tmp_path, elsewhere(), age_s)
    assert (holder_of(tmp_path, KEY) is not None) == held
    if held:
        refused(tmp_path, match="on far-away")
    else:
        with taken(tmp_path):
            assert holder_of(tmp_path, KEY) is not None


def test_a_damaged_lease_is_nobodys(tmp_path: Path) -> None:
    left_by(tmp_path, elsewhere()).write_text('{"host": ')
    with taken(tmp_path) as mine:
        mine.check()


@pytest.mark.parametrize(
    "damage",
    [
        *({"process": "4"}, {"process": -5}, {"process": True}, {"began": "then"}, {"since": "yesterday"}),
        *({"since": "2026-01-02T03:04:05"}, {"noted": "now"}, {"step": "far", "start_step": 1, "steps": 9}),
        {"host": None},
    ],
)
@pytest.mark.parametrize("system", ["another boot", None])
def test_a_lease_with_something_else_in_it_is_nobodys(tmp_path: Path, damage: dict, system: str | None) -> None:
    holder = asdict(elsewhere()) | {"system": system or Holder.here("train").system}
    left_by(tmp_path, elsewhere()).write_text(json.dumps(holder | damage))
    assert holder_of(tmp_path, KEY) is None
    with taken(tmp_path) as mine:
        mine.check()


def test_what_else_lies_in_its_folder_is_passed_over(tmp_path: Path) -> None:
    folder = left_by(tmp_path, elsewhere()).parent
    (folder / "notes.json").write_text("{}")
    assert holder_of(tmp_path, KEY) is not None
    (folder / "000002.json").mkdir()
    assert holder_of(tmp_path, KEY) is None
    with taken(tmp_path) as mine:
        assert mine.path.name == "000003.json"
        mine.touch()
        mine.check()


def test_what_the_killed_left_half_written_goes_with_the_next_lease(tmp_path: Path) -> None:
    folder = tmp_path / "leases" / KEY
    folder.mkdir(parents=True)
    (folder / ".0123456789abcdef.part").write_text('{"host": ')
    with taken(tmp_path):
        pass
    assert list((tmp_path / "leases").iterdir()) == []


def test_a_killed_process_whose_parent_does_not_ask_holds_no_lease(
    tmp_path: Path, other: "subprocess.Popen[str]"
) -> None:
    other.kill()
    while psutil.Process(other.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert holder_of(tmp_path, KEY) is None
    other.wait()


@pytest.mark.parametrize(("age_s", "held"), [(leases.EXPIRES_S / 2, True), (leases.EXPIRES_S + 60, False)])
@pytest.mark.parametrize("sign", [-1, 1], ids=["of a time yet to come", "where nothing can be written"])
def test_a_lease_of_another_machine_holds_for_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age_s: float, held: bool, sign: int
) -> None:
    left_by(tmp_path, elsewhere(), sign * age_s)
    for change in ("touch", "unlink") if sign > 0 else ():
        monkeypatch.setattr(Path, change, Mock(side_effect=OSError(30, "Read-only file system")))
    assert (holder_of(tmp_path, KEY) is not None) == held


def test_a_full_disk_takes_no_lease_away_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, text: str) -> None:
        path.touch()
        raise OSError(28, "No space left on device")

    with taken(tmp_path) as mine:
        os.utime(mine.path, (1, 1))
        with monkeypatch.context() as patched:
            patched.setattr(Path, "write_text", full)
            mine.touch()
        mine.check()
        assert [path.name for path in mine.path.parent.iterdir()] == ["000001.json"]
        assert mine.path.stat().st_mtime > 1


def test_a_lease_that_a_full_disk_refuses_fails_no_variant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", Mock(side_effect=OSError(28, "No space left on device")))
    refused(tmp_path, NoSpaceError, r"no space left to write .*leases")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_who_was_away_too_long_learns_that_another_has_taken_over(tmp_path: Path) -> None:
    with taken(tmp_path) as mine:
        mine.touch()
        mine.check()
        (mine.path.parent / "000002.json").write_text(json.dumps(asdict(elsewhere())))
        mine.touch()
        with pytest.raises(LostError, match="another process has taken over"):
            mine.check()
    assert holder_of(tmp_path, KEY) is not None  # the other's was not given back


def test_who_has_lost_a_lease_once_has_lost_it_for_good(tmp_path: Path) -> None:
    with taken(tmp_path) as mine:
        others = mine.path.parent / "000002.json"
        others.write_text(json.dumps(asdict(elsewhere())))
        mine.touch()
        others.unlink()  # by then the other has trained on, or finished
        mine.touch()
        with pytest.raises(LostError):
            mine.check()


@pytest.mark.parametrize("difference", [{"system": "another boot"}, {"process": 1}, {"began": 1.0}])
def test_a_lease_of_the_same_number_is_not_mine_if_another_holds_it(tmp_path: Path, difference: dict) -> None:
    with taken(tmp_path) as mine:
        mine.path.write_text(json.dumps(asdict(mine.holder) | difference))
        mine.touch()
        with pytest.raises(LostError):
            mine.check()
    assert json.loads(mine.path.read_text()) == asdict(mine.holder) | difference  # not given back, nor written over


def test_a_holder_lets_it_be_seen_that_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "_TOUCHED_EVERY_S", 0.01)
    with taken(tmp_path) as mine:
        mine.note(40, 300)
        while (holder := holder_of(tmp_path, KEY)) is None or holder.step != 40:
            time.sleep(0.01)


def test_progress_is_told_when_the_lease_is_touched(tmp_path: Path) -> None:
    with taken(tmp_path) as mine:
        mine.note(10, 300)
        mine.note(40, 300)
        mine.touch()
        holder = holder_of(tmp_path, KEY)
        assert (holder.start_step, holder.step, holder.steps) == (10, 40, 300)


def test_of_many_takers_one_succeeds(tmp_path: Path) -> None:
    left_by(tmp_path, elsewhere(), age_s=leases.EXPIRES_S + 5)

    def take(number: int) -> bool:
        try:
            leases._take(tmp_path / "leases" / KEY, replace(Holder.here("train"), host=str(number)))
        except HeldError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(take, range(64))) == 1


def test_without_links_a_lease_is_still_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", Mock(side_effect=PermissionError(1, "Operation not permitted")))
    with taken(tmp_path):
        refused(tmp_path)
