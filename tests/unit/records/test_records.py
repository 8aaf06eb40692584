"""Records: their keys, how they are written and how they are joined."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from enhance_sweep.records import load_records
from enhance_sweep.records.frame import DEFAULT_MEASUREMENT, settings_of
from enhance_sweep.records.keys import architecture_key, architecture_slug, digest, learned_key, measured_key
from enhance_sweep.records.schema import ARCHITECTURE_COLUMNS, Scores
from enhance_sweep.records.store import (
    RecordError,
    challenge_records,
    find_trained,
    mark_to_retry,
    read_record,
    timed_records,
    trained_records,
    whole,
    write_json,
    write_timed,
    write_trained,
)
from enhance_sweep.system.files import write_whole
from tests.unit.report import record_factory as make

pytestmark = pytest.mark.filterwarnings("error")

BASELINE, STRIDED, MEASUREMENT = make.BASELINE, make.PROPOSED, make.MEASUREMENT
SMALL = {**BASELINE, "channels": 16}


def trained(architecture: dict[str, Any], seed: int = 0, **changes: Any) -> dict[str, Any]:
    scores = {"psnr_db": 20.0 + seed, "ms_ssim": 0.9, "images": 100, "identical_pairs": 0}
    return make.trained(architecture, seed=seed, **{"scores": scores} | changes)


def timed(architecture: dict[str, Any], latency_ms: float | None = 500.0, **changes: Any) -> dict[str, Any]:
    return make.timed(architecture, latency_ms, **changes)


def challenge(architecture: dict[str, Any] = BASELINE, **changes: Any) -> dict[str, Any]:
    return make.challenge(architecture, 0.61, **changes)


def write(runs: Path, *made: dict[str, Any]) -> None:
    make.write(runs, list(made))


def latencies(runs: Path, *made: dict[str, Any], **choice: Any) -> list[float]:
    """Those of the table, once these records are written too."""
    write(runs, *made)
    return load_records(runs, **choice)["latency_ms_median"].tolist()


# --- keys -------------------------------------------------------------------------------------------------------------


def test_the_order_of_a_mapping_changes_no_key() -> None:
    keys = {architecture_key(dict(order)) for order in permutations(BASELINE.items())}
    assert len(keys) == 1
    assert keys.pop().startswith("plain-k3-c64-b4-")


@pytest.mark.parametrize(
    ("architecture", "slug"),
    [
        (STRIDED | {"prelu": True}, "strided-k3-s4-c16-b2-prelu"),
        ({"topology": "unet", "depth": 3, "norm": "batch"}, "unet-depth3-normbatch"),
        ({"topology": "../../etc", "channels": [8, 16]}, "_.._etc-c_8_16_"),
    ],
)
def test_slugs_are_readable_and_safe_as_file_names(architecture: dict[str, Any], slug: str) -> None:
    assert architecture_slug(architecture) == slug


def test_names_of_any_length_make_a_folder_and_stay_apart(tmp_path: Path) -> None:
    made = [trained(BASELINE | {"topology": "x" * 300 + end}) for end in "ab"]
    write(tmp_path, *made)
    assert len({record["key"] for record in made}) == len(load_records(tmp_path)) == 2


def test_every_part_of_an_identity_changes_its_key() -> None:
    learned = {"dataset": "photos", "data_fingerprint": "f", "loss": "paper", "seed": 0, "schedule": {"name": "cycle"}}
    changes: list[dict[str, Any]] = [{}, {"seed": 1}, {"data_fingerprint": "g"}, {"schedule": {"name": "constant"}}]
    keys = [learned_key(BASELINE, learned | change) for change in changes]
    keys += [learned_key(STRIDED, learned), learned_key(BASELINE | {"prelu": True}, learned)]
    assert len(set(keys)) == len(keys)
    timings = [MEASUREMENT, MEASUREMENT | {"host": "there"}, MEASUREMENT | {"threads": 1}]
    assert len({measured_key(BASELINE, measurement) for measurement in timings}) == 3


def test_the_digest_is_of_canonical_json_and_refuses_what_json_cannot_say() -> None:
    assert digest({"a": (1, 2), "b": None}) == digest({"b": None, "a": [1, 2]})
    with pytest.raises(ValueError, match="JSON"):
        digest({"rate": float("nan")})


# --- writing ----------------------------------------------------------------------------------------------------------


def test_a_record_comes_back_as_it_was_written_with_null_for_not_a_number(tmp_path: Path) -> None:
    made = trained(BASELINE, scores={"psnr_db": float("inf"), "ms_ssim": float("nan"), "images": 3}, reason="“ä”")
    path = write_trained(tmp_path, made)
    record = read_record(path)
    assert record.scores == Scores(psnr_db=None, ms_ssim=None, images=3)
    assert record.reason == "“ä”"
    assert record.learned_from == made["learned_from"]
    assert find_trained(tmp_path, made["key"]) == record
    assert find_trained(tmp_path, "another") is None
    assert read_record(write_trained(tmp_path, record)) == record
    assert [file.name for file in path.parent.iterdir()] == ["record.json"]


REPORTS = Path(__file__).parents[3] / "reports"
KINDS = ["trained", "timed", "challenge"]


@pytest.mark.parametrize(
    "path",
    [
        sorted(REPORTS.glob(place))[0]
        for place in (*(f"*/records/{kind}/*/*.json" for kind in KINDS), "exports/*/*/*.json")
    ],
    ids=[*KINDS, "export"],
)
def test_nothing_of_a_record_is_lost_where_it_is_written_again(path: Path, tmp_path: Path) -> None:
    write_json(tmp_path / "again.json", read_record(path))
    before, after = (json.loads(one.read_text()) for one in (path, tmp_path / "again.json"))
    assert _without_defaults(before) == _without_defaults(after)


def _without_defaults(value: Any) -> Any:
    """All but what is empty: of that, a record that is written again says more or less than an older one."""
    if isinstance(value, dict):
        return {name: _without_defaults(item) for name, item in value.items() if item not in (None, [], {}, 0)}
    return [_without_defaults(item) for item in value] if isinstance(value, list) else value


def test_a_mark_to_try_again_changes_nothing_else_in_its_file(tmp_path: Path) -> None:
    path = write_timed(tmp_path, timed(BASELINE, status="failed") | {"of a later version": [1]})
    before = json.loads(path.read_text())
    mark_to_retry(path)
    assert json.loads(path.read_text()) == before | {"retry": True}
    assert read_record(path).retry


def test_a_timing_is_added_to_the_earlier_ones(tmp_path: Path) -> None:
    paths = [write_timed(tmp_path, timed(BASELINE, latency)) for latency in (1.0, 2.0, 3.0)]
    assert len(set(paths)) == 3
    key = timed(BASELINE)["key"]
    assert [record.latency_ms_median for record in timed_records(tmp_path, key)] == [1.0, 2.0, 3.0]
    assert list(timed_records(tmp_path, "another")) == []


def test_what_cannot_be_written_leaves_the_earlier_record_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_json(path, {"schema": 1})
    with pytest.raises(TypeError):
        write_json(path, {"schema": object()})
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "half of it \ud800")
    assert json.loads(path.read_text()) == {"schema": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["record.json"]


WRITER = """
import sys
from pathlib import Path
from enhance_sweep.records.store import write_json

print("ready", flush=True)
number = 0
while True:
    number += 1
    write_json(Path(sys.argv[1]), {"schema": 1, "number": number, "tail": [number] * 20_000})
"""


def test_a_writer_that_is_killed_leaves_a_whole_record(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
            writer.stdout.readline()
            before, seen = path.stat().st_mtime_ns if path.exists() else 0, 0
            # Until it has replaced the file a number of times, each of them read while it writes.
            while seen < 10 and writer.poll() is None:
                if path.exists():
                    written = json.loads(path.read_text())
                    assert written["tail"] == [written["number"]] * 20_000
                    now = path.stat().st_mtime_ns
                    seen, before = seen + (now != before), now
            writer.send_signal(signal.SIGKILL)
        written = json.loads(path.read_text())
        assert written["tail"] == [written["number"]] * 20_000


def test_what_a_killed_writer_leaves_behind_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, trained(BASELINE), timed(BASELINE))
    for folder in (*tmp_path.glob("trained/*"), *tmp_path.glob("timed/*")):
        (folder / ".record.json.abc.part").write_text('{"schema": 1, "kin')
    (tmp_path / "trained" / "died-before-its-first-record").mkdir()
    assert len(load_records(tmp_path)) == 1


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_records_can_be_read_by_others(tmp_path: Path) -> None:
    assert write_trained(tmp_path, trained(BASELINE)).stat().st_mode & 0o777 == 0o644


# --- joining ----------------------------------------------------------------------------------------------------------

WHOLE_NUMBERS = ["kernel_size", "strided_kernel_size", "channels", "blocks"]
FIGURES = ["psnr_db", "ms_ssim", "latency_ms_median", "latency_ms_iqr", "cpu_s_median", "peak_rss_mib"]
FIGURES += ["peak_rss_delta_mib"]
PROMISED = ["key", "status", "topology", *WHOLE_NUMBERS, "prelu", "parameters", "macs", *FIGURES]


def test_the_promised_columns_are_always_there_with_their_types(tmp_path: Path) -> None:
    write(tmp_path, trained(BASELINE), trained(STRIDED), timed(STRIDED, 80.0))
    for frame in (load_records(tmp_path), load_records(tmp_path, measurement=None)):
        assert list(frame.columns)[: len(PROMISED)] == PROMISED
        assert len(set(frame.columns)) == len(frame.columns)
        kinds = dict.fromkeys([*WHOLE_NUMBERS, "parameters", "macs"], "Int64") | dict.fromkeys(FIGURES, "float64")
        assert {name: str(frame[name].dtype) for name in kinds} == kinds
        assert frame["prelu"].dtype == bool
        found = frame.set_index("topology")[["strided_kernel_size", "latency_ms_median"]]
        assert found.loc["strided"].tolist() == [4, 80.0]
        assert found.loc["plain"].isna().all()


def test_several_seeds_share_a_timing(tmp_path: Path) -> None:
    write(tmp_path, *(trained(SMALL, seed=seed) for seed in (0, 1, 2)), timed(SMALL, 70.0), trained(BASELINE))
    frame = load_records(tmp_path)
    small = frame[frame["channels"] == 16]
    assert sorted(small["seed"]) == [0, 1, 2]
    assert sorted(small["psnr_db"]) == [20.0, 21.0, 22.0]
    assert list(small["latency_ms_median"]) == [70.0] * 3
    assert len(frame) == 4


def test_a_copied_folder_is_no_second_training(tmp_path: Path) -> None:
    path = write_trained(tmp_path, trained(BASELINE))
    write_trained(tmp_path, trained(BASELINE, seed=1))
    copy = path.parent.with_name(f"{path.parent.name} (copy)")
    shutil.copytree(path.parent, copy)
    assert load_records(tmp_path)["seed"].tolist() == [0, 1]
    shutil.rmtree(path.parent)
    assert load_records(tmp_path)["seed"].tolist() == [0, 1], "under a name of its own it still counts"


def test_without_a_measurement_there_is_a_row_per_pair(tmp_path: Path) -> None:
    write(tmp_path, trained(SMALL, seed=0), trained(SMALL, seed=1), trained(BASELINE))
    write(tmp_path, timed(SMALL, 70.0), timed(SMALL, 90.0, measurement={"allocator": "stock"}), timed(STRIDED, 30.0))
    frame = load_records(tmp_path, measurement=None)
    pairs = frame[frame["channels"].eq(16) & frame["topology"].eq("plain")]
    found = zip(pairs["seed"], zip(pairs["allocator"], pairs["latency_ms_median"], strict=True), strict=True)
    assert sorted(found) == list(product((0, 1), (("stock", 90.0), ("tuned", 70.0))))
    assert len(frame) == 4 + 1 + 1  # the pairs, the untimed baseline, the untrained strided one


def test_an_architecture_timed_but_not_trained_is_a_row_without_scores(tmp_path: Path) -> None:
    write(tmp_path, trained(BASELINE), timed(STRIDED, 30.0))
    row = load_records(tmp_path).set_index("topology").loc["strided"]
    assert row["latency_ms_median"] == 30.0
    assert row["key"] == row["architecture_key"] == architecture_key(STRIDED)
    assert all(pd.isna(row[name]) for name in ("status", "psnr_db", "ms_ssim", "seed", "dataset"))
    assert row["parameters"] == make.description(STRIDED)["parameters"]


def test_a_timing_at_the_default_of_waiting_is_not_replaced_by_a_newer_one_under_another(tmp_path: Path) -> None:
    asleep = timed(BASELINE, 99.0, measurement={"wait_policy": "passive"}, finished_at="2026-03-01T00:00:00Z")
    write(tmp_path, trained(BASELINE), asleep)
    assert list(load_records(tmp_path)["latency_ms_median"]) == [99.0]
    write(tmp_path, timed(BASELINE, 50.0, finished_at="2026-02-01T00:00:00Z"))
    frame = load_records(tmp_path)
    assert list(zip(frame["latency_ms_median"], frame["wait_policy"], strict=True)) == [(50.0, "default")]
    assert list(load_records(tmp_path, {"wait_policy": "passive"})["latency_ms_median"]) == [99.0]


def test_only_timed_and_only_trained(tmp_path: Path) -> None:
    assert latencies(tmp_path / "timed-only", timed(STRIDED, 30.0)) == [30.0]
    write(tmp_path / "trained-only", trained(STRIDED))
    assert list(load_records(tmp_path / "trained-only")["ms_ssim"]) == [0.9]


CAREFUL = {"baseline": architecture_key(BASELINE)}
FAILED = {"latency_ms_median": None, "status": "failed", "reason": "killed"}


@pytest.mark.parametrize(
    ("made", "counts"),
    [
        ([{}, {}], 2.0),  # the newest
        ([CAREFUL, {}], 1.0),  # a careful one, whatever is looked at later
        ([CAREFUL, {}, CAREFUL | FAILED], 1.0),
        ([{}, FAILED], 1.0),  # a failed one hides none
    ],
)
@pytest.mark.parametrize("order", [1, -1])  # whatever their files are called
def test_of_several_timings_one_counts(tmp_path: Path, made: list[dict[str, Any]], counts: float, order: int) -> None:
    timings = [
        timed(BASELINE, **{"latency_ms": month + 1.0, "finished_at": f"2026-0{month + 1}-01T00:00:00Z"} | changes)
        for month, changes in enumerate(made)
    ]
    assert latencies(tmp_path, trained(BASELINE), *timings[::order]) == [counts]


def test_a_failed_timing_is_named_where_it_is_all_there_is(tmp_path: Path) -> None:
    write(tmp_path, timed(STRIDED, **FAILED))
    (row,) = load_records(tmp_path).to_dict("records")
    assert row["timing_status"] == "failed"
    assert pd.isna(row["latency_ms_median"])


@pytest.mark.parametrize(
    ("wanted", "latency_ms"),
    [
        ({}, 4.0),
        ({"allocator": "stock"}, 2.0),
        ({"host": "there"}, 3.0),
        ({"size": (640, 480)}, 4.0),
        ({"size": [640, 480]}, 4.0),
        ({"runtime": "openvino"}, np.nan),
        ({"no_such_field": 1}, np.nan),
    ],
)
def test_a_measurement_is_chosen_by_any_of_its_fields(tmp_path: Path, wanted: Any, latency_ms: float) -> None:
    made = [trained(BASELINE)]
    for hour, measurement in enumerate([{}, {"allocator": "stock"}, {"host": "there"}, {"size": [640, 480]}]):
        when = f"2026-01-01T1{hour}:00:00Z"
        made.append(timed(BASELINE, hour + 1.0, measurement=measurement, finished_at=when))
    np.testing.assert_equal(latencies(tmp_path, *made, measurement=wanted), [latency_ms])


def test_the_default_measurement_is_eager_fp32_tuned(tmp_path: Path) -> None:
    others = ({"allocator": "stock"}, {"runtime": "openvino"}, {"precision": "bf16"})
    assert latencies(tmp_path, *(timed(BASELINE, 1.0, measurement=other) for other in others)) == []
    assert latencies(tmp_path, timed(BASELINE, 2.0)) == [2.0]


def test_failed_and_running_records_are_rows_that_say_so(tmp_path: Path) -> None:
    write(tmp_path, trained(BASELINE, status="failed", reason="loss is NaN at step 7", scores=None, untouched=None))
    write(tmp_path, trained(STRIDED, status="running", scores=None, finished_at=None))
    frame = load_records(tmp_path).set_index("status")
    assert frame.loc["failed", "reason"] == "loss is NaN at step 7"
    assert frame["ms_ssim"].isna().all()


def test_a_topology_of_ones_own_brings_its_arguments_as_columns(tmp_path: Path) -> None:
    unet = {"topology": "unet", "channels": [8, 16], "depth": 3, "prelu": False}
    write(tmp_path, trained(unet), trained(BASELINE), timed(unet, 12.0))
    row = load_records(tmp_path).set_index("topology").loc["unet"]
    assert row["channels"] == [8, 16]
    assert row["depth"] == 3
    assert row["latency_ms_median"] == 12.0


def test_each_further_setting_is_a_column_of_its_own_type_and_missing_where_a_topology_lacks_it(tmp_path: Path) -> None:
    made = {"factor": 2, "norm": "none", "global_color": True, "strength": 0.5}
    shuffled = {"topology": "shuffled", "kernel_size": 3, "channels": 16, "blocks": 2, **made}
    gated = {"topology": "tone", "gate": "channel", "global_color": False}
    write(tmp_path, trained(shuffled), trained(BASELINE), timed(shuffled, 12.0), timed(gated, 3.0))
    frame = load_records(tmp_path)
    assert settings_of(frame) == [*ARCHITECTURE_COLUMNS, *made, "gate"]
    rows = frame.set_index("topology")
    assert {name: rows.loc["shuffled", name] for name in made} == made
    assert [type(rows.loc["shuffled", name]) for name in made] == [int, str, bool, float]
    assert rows.loc["plain", [*made, "gate"]].isna().all()
    assert (rows.loc["tone", "gate"], rows.loc["tone", "global_color"]) == ("channel", False)
    assert settings_of(frame[frame["topology"] == "tone"].reset_index(drop=True)) == settings_of(frame)
    assert settings_of(pd.DataFrame(frame.to_dict("records"))) == ARCHITECTURE_COLUMNS


def test_an_empty_folder_is_an_empty_table_and_a_missing_one_is_named(tmp_path: Path) -> None:
    for measurement in (DEFAULT_MEASUREMENT, None):
        frame = load_records(tmp_path, measurement)
        assert frame.empty
        assert list(frame.columns)[: len(PROMISED)] == PROMISED
        assert str(frame["ms_ssim"].dtype) == "float64"
    with pytest.raises(FileNotFoundError, match="nowhere: run `python -m enhance_sweep`"):
        load_records(tmp_path / "nowhere")


def rounds(*made: Any) -> dict[str, Any]:
    return {"samples": {"processes": [{"rounds": list(made)}]}}


#: What is no record at all; and of each kind, what is wrong with one and what is said of it.
NO_RECORDS: list[tuple[bytes, str]] = [
    (b'{"schema": 1, "kind": "trai', "not a readable record"),
    (b"", "not a readable record"),
    (b"\xff\xfe\x00", "not a readable record"),
    (b"[1, 2]", "found list"),
    (b'{"hello": "world"}', "found None"),
    (b'{"schema": 2}', "found 2"),
    (b'{"schema": 1}', r"lacks a kind \(one of trained, timed, export, challenge\)"),
]
DAMAGES: dict[str, list[tuple[dict[str, Any], str]]] = {
    "trained": [
        ({"learned_from": {"dataset": "x"}}, "lacks learned_from.data_fingerprint, learned_from.loss, learned_from.se"),
        ({"learned_from": {"dataset": 1, "data_fingerprint": "", "loss": "", "seed": 0}}, "dataset: expected a text"),
        ({"description": None}, "lacks description.parameters, description.macs"),
        ({"description": {"parameters": 1, "macs": "x"}}, "description.macs: expected a whole number, found 'x'"),
        ({"description": {"parameters": 1, "macs": 2, "layers": [{}]}}, r"lacks description\.layers\[0\]\.name"),
        ({"environment": None}, "lacks environment"),
        ({"environment": "here"}, "environment: expected a mapping, found 'here'"),
        ({"environment": {"code": 7}}, "environment.code: expected a text"),
        ({"scores": 3}, "scores: expected a mapping, found 3"),
        ({"scores": {"psnr_db": "x", "ms_ssim": 0.9}}, r"d\.json: scores\.psnr_db: expected a number, found 'x': d"),
        ({"quality": [{"step": 1}, {"ms_ssim": 0.9}]}, r"lacks quality\[1\]\.step"),
        ({"steps": "many"}, "steps: expected a whole number, found 'many'"),
        ({"steps": True}, "steps: expected a whole number, found True"),
        ({"steps": 10**30}, "steps: expected a whole number, found 10{30}:"),
        ({"steps": None}, "lacks steps"),
        ({"train_wall_s": "long"}, "train_wall_s: expected a number"),
        ({"attempts": [1]}, "attempts: expected a mapping"),
        ({"attempts": {"bug": "twice"}}, "attempts.*: expected a whole number, found .*'twice'"),
        ({"failure": ["bug"]}, "failure: expected a text"),
        ({"reason": 5}, "reason: expected a text"),
        ({"data": {"train_pairs": "x"}}, "data.train_pairs: expected a whole number, found 'x'"),
        ({"started_at": "yesterday"}, "started_at: expected a time such as"),
        ({"started_at": "2026-01-02T03:04:05"}, "started_at: expected a time such as"),
        ({"finished_at": 7}, "finished_at: expected a text, found 7"),
        ({"architecture": {"topology": [1]}}, "architecture.topology: expected a text"),
    ],
    "timed": [
        ({"measurement": {"runtime": "eager"}}, "lacks measurement.precision, measurement.size, measurement.threads"),
        ({"measurement": MEASUREMENT | {"size": "96x64"}}, "measurement.size: expected width and height, found '96x6"),
        ({"measurement": MEASUREMENT | {"size": [96]}}, r"measurement.size: expected width and height, found \[96\]"),
        ({"measurement": MEASUREMENT | {"threads": "two"}}, "measurement.threads: expected a whole number"),
        ({"samples": "x"}, "samples: expected a mapping, found 'x'"),
        (rounds("a"), r"samples.processes\[0\].rounds\[0\]: expected a mapping, found 'a'"),
        (rounds({"latency_ms": 1.0}, {}), r"lacks samples.processes\[0\].rounds\[1\].latency_ms"),
        (rounds({"latency_ms": 1.0, "conditions": "calm"}), r"s\[0\].conditions: expected a mapping, found 'calm'"),
        ({"flags": 3}, "flags: expected a list, found 3"),
        ({"baseline_check": "x"}, "baseline_check: expected a mapping"),
        ({"status": "great"}, "status: expected one of running, completed, failed, found 'great'"),
        ({"latency_ms_median": None}, "lacks latency_ms_median"),
        (challenge(), "expected a record of kind timed, found challenge"),
    ],
    "challenge": [
        ({"schema": 2}, "expected a record of schema 1, found 2"),
        ({"kind": "guess"}, r"lacks a kind \(one of trained, timed, export, challenge\)"),
        ({"latency_s_mean": None}, "lacks latency_s_mean: delete it"),
        ({"architecture": {}}, "lacks architecture.topology: delete it"),
        ({"measurement": {"host": "here"}}, "lacks measurement.runtime, measurement.precision, "),
        ({"latency_s_mean": "3 s"}, "latency_s_mean: expected a number, found '3 s': delete it"),
        ({"latency_s_mean": 0}, "latency_s_mean: expected a positive number, found 0.0: delete it"),
        ({"memory_gib_mean": -1.0}, "memory_gib_mean: expected no negative number, found -1.0: delete it"),
        ({"samples": []}, r"samples: expected a list that is not empty, found \[\]: delete it"),
        ({"samples": [{"cpu_s": 3.0}]}, r"lacks samples\[0\].latency_ms: delete it"),
        ({"samples": {"latency_ms": 3.0}}, "samples: expected a list, found {'latency_ms': 3.0}: delete it"),
        ({"measurement": MEASUREMENT | {"size": "1280x720"}}, "measurement.size: expected width and height, found '1"),
        (timed(BASELINE), "expected a record of kind challenge, found timed: move it where it belongs"),
    ],
}
WHOLE = {"trained": trained(BASELINE), "timed": timed(BASELINE), "challenge": challenge()}


@pytest.mark.parametrize(
    ("folder", "content", "complaint"),
    [
        *(("trained", content, complaint) for content, complaint in NO_RECORDS),
        *((kind, json.dumps(WHOLE[kind] | new).encode(), said) for kind in DAMAGES for new, said in DAMAGES[kind]),
    ],
)
def test_what_is_no_record_is_named_with_a_remedy(tmp_path: Path, folder: str, content: bytes, complaint: str) -> None:
    path = tmp_path / folder / "alien" / "record.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(RecordError, match=complaint) as raised:
        list(challenge_records(tmp_path)) if folder == "challenge" else load_records(tmp_path)
    assert str(raised.value).startswith(str(path))
    assert re.search("delete it|move it where it belongs", str(raised.value))
    if folder != "challenge":
        reading = trained_records if folder == "trained" else timed_records
        with pytest.raises(RecordError) as for_report:  # of what a report does not read of all, once it does
            list(map(whole, reading(tmp_path, for_report=True)))
        assert str(for_report.value) == str(raised.value)


# --- the challenge's rules --------------------------------------------------------------------------------------------


def test_timings_by_the_challenges_rules_come_back_by_architecture_and_age_and_are_no_timings(tmp_path: Path) -> None:
    made = [challenge(STRIDED, latency_s_mean=3.0), challenge(BASELINE), challenge(STRIDED, latency_s_mean=2.0)]
    write(tmp_path, *made)
    found = [(one.architecture, one.latency_s_mean) for one in challenge_records(tmp_path)]
    assert found == [(BASELINE, 0.61), (STRIDED, 3.0), (STRIDED, 2.0)]
    assert list(challenge_records(tmp_path / "nowhere")) == []
    assert load_records(tmp_path, measurement=None).empty


def test_reading_records_needs_no_torch(tmp_path: Path) -> None:
    write(tmp_path, trained(BASELINE), timed(BASELINE))
    code = (
        "import sys; from enhance_sweep.records import load_records; from enhance_sweep.frontier import pareto_front; "
        "pareto_front(load_records(sys.argv[1])); sys.exit(any(m.split('.')[0] == 'torch' for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 0


def test_lowered_networks_are_shown_where_they_are_asked_for(tmp_path: Path) -> None:
    lowered = timed(BASELINE, 50.0, measurement={"lowered": True}, finished_at="2026-03-01T00:00:00Z")
    write(tmp_path, trained(BASELINE), timed(BASELINE, 99.0), lowered)
    assert list(load_records(tmp_path)["latency_ms_median"]) == [99.0]
    assert list(load_records(tmp_path, {"lowered": True})["latency_ms_median"]) == [50.0]
    frame = load_records(tmp_path, {"runtime": "eager"})
    assert list(zip(frame["latency_ms_median"], frame["lowered"], strict=True)) == [(99.0, False)]
    assert sorted(load_records(tmp_path, None)["lowered"]) == [False, True]
