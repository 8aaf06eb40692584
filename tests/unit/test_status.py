"""What of a folder's sweeps is done, running, interrupted, failed or missing; and what can be done about it."""

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from enhance_sweep.records.keys import learned_key, measured_key
from enhance_sweep.records.store import RECORD_FILE, find_trained, timed_records, trained_dir
from enhance_sweep.status import Folder, describe, forget, main, retry_failed, table
from enhance_sweep.sweep.manifest import Wanted, measured_without_host, write_manifest
from enhance_sweep.system.leases import Holder, holder_of
from tests.unit.report import record_factory as make

MEASUREMENT = make.MEASUREMENT
LEARNED = {"dataset": "photos", "data_fingerprint": "aaaa", "loss": "fidelity", "seed": 0}


def network(channels: int) -> dict[str, Any]:
    return make.plain(3, channels, 1)


def key(channels: int) -> str:
    return learned_key(network(channels), LEARNED)


def trained(runs: Path, channels: int, **changes: Any) -> None:
    own = {"key": key(channels), "steps": 300, "started_at": "2026-01-02T03:04:05+00:00"}
    make.write(runs, [make.trained(network(channels), **own | changes)])


def timed(runs: Path, channels: int, host: str = MEASUREMENT["host"], **changes: Any) -> None:
    make.write(runs, [make.timed(network(channels), 5.0, measurement={"host": host}, **changes)])


def wanted(channels: int, steps: int = 300, time: bool = True) -> Wanted:
    name, overrides = f"plain-k3-c{channels}-b1", [f"model.channels={channels}"]
    ways = (measured_without_host, measured_key) if time else ()
    timings = [way(network(channels), MEASUREMENT) for way in ways] or [None, None]
    return Wanted(name, overrides, key(channels), steps, *timings)


def sweep(runs: Path, *variants: Wanted, arguments: tuple[str, ...] = ("model.channels=2,4",)) -> None:
    write_manifest(runs, arguments, "code", ["data"], list(variants))


def held(runs: Path, its_key: str, **changes: Any) -> None:
    path = runs / "leases" / its_key / "000001.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(asdict(replace(Holder.here("train"), **changes))))


def standing(runs: Path) -> tuple[str, str]:
    """The state of the only variant, and its detail."""
    (one,) = Folder.read(runs).rows()
    assert one.key == key(2)
    return one.state, one.detail


def test_a_variant_is_done_when_all_that_was_asked_for_is_there(tmp_path: Path) -> None:
    sweep(tmp_path, wanted(2))
    assert standing(tmp_path) == ("missing", "not trained")
    trained(tmp_path, 2)
    assert standing(tmp_path) == ("missing", "not timed")
    timed(tmp_path, 2, host="another")  # wherever
    assert standing(tmp_path) == ("done", "")
    assert "go on" not in table(Folder.read(tmp_path))


BUG = {"status": "failed", "reason": "KeyError: 1", "failure": "bug"}
OUT = {"status": "failed", "reason": "MemoryError", "failure": "out_of_memory"}


@pytest.mark.parametrize(
    ("changes", "state", "detail"),
    [
        ({"steps": 200}, "missing", "trained for 200 of 300 steps"),
        ({"scores": None}, "missing", "trained, not scored"),
        (OUT | {"attempts": {"out_of_memory": 4}}, "failed", "out_of_memory: MemoryError (failed 4 times)"),
        (BUG | {"attempts": {"bug": 1, "interrupted": 7}}, "failed", "bug: KeyError: 1"),  # once: the rest are none
        ({"status": "running", "started_at": None}, "interrupted", "the next sweep goes on from its checkpoint"),
    ],
)
def test_what_a_training_lacks_is_said(tmp_path: Path, changes: dict[str, Any], state: str, detail: str) -> None:
    sweep(tmp_path, wanted(2, time=False))
    trained(tmp_path, 2, **changes)
    assert standing(tmp_path) == (state, detail)


def test_of_several_failed_timings_the_newest_tells_and_a_completed_one_stands(tmp_path: Path) -> None:
    sweep(tmp_path, wanted(2))
    trained(tmp_path, 2)
    for reason in ("first", "second"):
        timed(tmp_path, 2, status="failed", reason=reason, failure="out_of_memory")
    assert standing(tmp_path) == ("failed", "timing: out_of_memory: second")
    timed(tmp_path, 2)
    timed(tmp_path, 2, status="failed", reason="third")
    assert standing(tmp_path) == ("done", "")


def test_running_is_who_holds_the_lease_interrupted_who_does_not(tmp_path: Path) -> None:
    sweep(tmp_path, wanted(2))
    trained(tmp_path, 2, status="running")
    state, detail = standing(tmp_path)
    assert (state, detail[:15]) == ("interrupted", "since 2026-01-0")
    held(tmp_path, key(2))
    state, detail = standing(tmp_path)
    assert state == "running"
    assert f"process {os.getpid()}, since" in detail


def test_a_timing_runs_too(tmp_path: Path) -> None:
    sweep(tmp_path, wanted(2))
    trained(tmp_path, 2)
    held(tmp_path, measured_key(network(2), MEASUREMENT), work="time")
    state, detail = standing(tmp_path)
    assert (state, detail[:8]) == ("running", "time on ")


def test_the_end_is_expected_from_the_steps_so_far() -> None:
    times = {"since": "2026-01-02T10:00:00+00:00", "noted": "2026-01-02T10:10:00+00:00"}
    said = describe(replace(Holder.here("train"), **times, start_step=100, step=200, steps=400))
    assert "step 200 of 400" in said
    minutes = [int(part.split(":")[1][:2]) for part in said.split("about")[1:]]
    assert minutes == [30]  # 200 more steps, of which 100 took ten minutes


def test_what_no_sweep_asked_for_is_there_too(tmp_path: Path) -> None:
    trained(tmp_path, 2)
    sweep(tmp_path, wanted(4))
    assert {one.key: one.state for one in Folder.read(tmp_path).rows()} == {key(2): "done", key(4): "missing"}


def test_the_page_counts_and_says_how_to_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained(tmp_path, 2)
    timed(tmp_path, 2)
    sweep(tmp_path, wanted(2), wanted(4), arguments=("model.channels=2,4", "data.root=a folder"))
    sweep(tmp_path, wanted(2), arguments=("model.channels=2",))
    assert main(["--runs", str(tmp_path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"{tmp_path}: 2 variants: 1 done, 1 missing"
    assert said[1:3] == [f"done         {key(2)}", f"missing      {key(4)}  not trained"]
    assert said[3:] == ["go on: python -m enhance_sweep -m model.channels=2,4 'data.root=a folder'"]


def test_what_failed_is_marked_to_be_tried_again(tmp_path: Path) -> None:
    trained(tmp_path, 2, **BUG)
    trained(tmp_path, 4)
    timed(tmp_path, 4, status="failed", reason="no")
    assert retry_failed(tmp_path) == [key(2), measured_key(network(4), MEASUREMENT)]
    assert "(will be tried again)" in table(Folder.read(tmp_path))
    assert all(one.retry for one in timed_records(tmp_path))
    assert not find_trained(tmp_path, key(4)).retry  # type: ignore[union-attr]


def test_a_key_is_forgotten_by_its_beginning_unless_somebody_works_on_it(tmp_path: Path) -> None:
    trained(tmp_path, 2)
    trained(tmp_path, 24)
    with pytest.raises(ValueError, match=r"expected the beginning of one key, but 2 begin so \(plain"):
        forget(tmp_path, "plain-k3-c2")
    for nothing in ("", "srcnn", "../trained"):
        with pytest.raises(ValueError, match="expected the beginning of one key"):
            forget(tmp_path, nothing)
    assert forget(tmp_path, "plain-k3-c24") == key(24)
    assert [path.name for path in (tmp_path / "trained").iterdir()] == [key(2)]
    held(tmp_path, key(2))
    with pytest.raises(ValueError, match="stop it first"):
        forget(tmp_path, key(2))
    assert holder_of(tmp_path, key(2)) is not None
    assert find_trained(tmp_path, key(2)) is not None


def test_what_is_half_forgotten_is_no_training_and_no_key(tmp_path: Path) -> None:
    trained(tmp_path, 2, **BUG)
    timed(tmp_path, 4, status="failed", reason="no")
    for kind in ("trained", "timed"):  # as a kill in the middle of --forget leaves it
        (folder,) = (tmp_path / kind).iterdir()
        folder.rename(folder.with_name(f".{folder.name}.0123abcd.forgotten"))
    assert Folder.read(tmp_path).rows() == []
    assert list(timed_records(tmp_path)) == []
    assert retry_failed(tmp_path) == []
    with pytest.raises(ValueError, match=r"expected the beginning of one key, but none begins so$"):
        forget(tmp_path, ".")


def test_nobody_begins_with_what_is_being_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(tmp_path, 2)
    seen = []
    rename = Path.rename

    def watched(path: Path, target: Path) -> Path:
        seen.append(holder_of(tmp_path, key(2)))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", watched)
    forget(tmp_path, key(2))
    assert [one.work for one in seen if one] == ["forget"]
    assert holder_of(tmp_path, key(2)) is None


def test_only_the_newest_timing_of_a_way_to_measure_is_marked(tmp_path: Path) -> None:
    timed(tmp_path, 2, status="failed", reason="no")
    timed(tmp_path, 2)
    assert retry_failed(tmp_path) == []
    timed(tmp_path, 2, status="failed", reason="no")
    assert len(retry_failed(tmp_path)) == 1
    assert [one.retry for one in timed_records(tmp_path)] == [False, False, True]


@pytest.mark.parametrize("order", [1, -1])
def test_what_one_sweep_trains_and_another_times_is_one_variant_of_the_most_steps(tmp_path: Path, order: int) -> None:
    both = [(wanted(2, steps=600, time=False), "long"), (wanted(2, steps=300), "timed")]
    for one, name in both[::order]:
        sweep(tmp_path, one, arguments=(name,))
    assert standing(tmp_path) == ("missing", "not trained")
    trained(tmp_path, 2)
    timed(tmp_path, 2)
    assert standing(tmp_path) == ("missing", "trained for 300 of 600 steps")
    trained(tmp_path, 2, steps=600)
    assert standing(tmp_path) == ("done", "")


@pytest.mark.parametrize(
    "damage",
    [
        {"begun_at": None},
        {"code": 5},
        {"data": None},
        {"data": [1]},
        {"arguments": "model=plain"},
        {"arguments": [5]},
        {"variants": [{**asdict(wanted(2)), "key": 5}]},
        {"variants": [{**asdict(wanted(2)), "steps": "many"}]},
        {"variants": [{**asdict(wanted(2)), "overrides": None}]},
        {"variants": [{"name": "x"}]},
        {"variants": 5},
    ],
)
def test_a_sweep_with_something_else_in_it_is_passed_over(tmp_path: Path, damage: dict[str, Any]) -> None:
    sweep(tmp_path, wanted(2))
    (path,) = (tmp_path / "sweeps").iterdir()
    (tmp_path / "sweeps" / "other.json").write_text(json.dumps(json.loads(path.read_text()) | damage))
    assert main(["--runs", str(tmp_path)]) == 0
    assert standing(tmp_path) == ("missing", "not trained")
    path.write_text(json.dumps(json.loads(path.read_text()) | damage))
    assert write_manifest(tmp_path, ("model.channels=2,4",), "code", ["data"], [wanted(2)]) == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--runs", "nowhere"], "error: --runs: nowhere is no folder"), (["--runs", ".", "--forget", "x"], "error: --fo")],
)
def test_mistakes_are_told_in_a_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    assert capsys.readouterr().err.startswith(said)


def test_damaged_sweeps_are_passed_over_and_damaged_records_named(tmp_path: Path, capsys: Any) -> None:
    sweep(tmp_path, wanted(2))
    (tmp_path / "sweeps" / "torn.json").write_text('{"arguments": [')
    assert standing(tmp_path) == ("missing", "not trained")
    trained(tmp_path, 2)
    path = trained_dir(tmp_path, key(2)) / RECORD_FILE
    path.write_text("{")
    assert main(["--runs", str(tmp_path)]) == 1
    assert str(path) in capsys.readouterr().err


# --- what a sweep writes down -----------------------------------------------------------------------------------------


def test_a_sweep_started_again_keeps_when_it_began_and_tells_what_changed(tmp_path: Path) -> None:
    start = ("model.channels=2,4",)
    for _ in range(2):
        assert write_manifest(tmp_path, start, "code1", ["data1"], [wanted(2)]) == ""
    (path,) = (tmp_path / "sweeps").iterdir()
    begun = json.loads(path.read_text())["begun_at"]
    said = write_manifest(tmp_path, start, "code2", ["data2"], [wanted(2)])
    assert said.startswith(f"since this sweep was first started, at {begun}, ")
    assert "its code has changed (code1 then, code2 now) and its data has changed (data1 then, data2 now)" in said
    assert json.loads(path.read_text())["begun_at"] == begun
    assert write_manifest(tmp_path, ("model.channels=8",), "code9", ["data1"], [wanted(8)]) == ""
    assert write_manifest(tmp_path, start, "code2", ["data2"], [wanted(2)]) == "", "told once"
    turned = ("seed=1", "model.channels=2,4")
    assert write_manifest(tmp_path, turned, "code2", ["data2"], [wanted(2)]) == ""
    assert "since this sweep" in write_manifest(tmp_path, turned[::-1], "code3", ["data2"], [wanted(2)])
