"""`python -m enhance_sweep.timing`: what it is asked for, and what it writes."""

import json
from contextlib import nullcontext
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from enhance_sweep.paper.baseline import BASELINE
from enhance_sweep.records import load_records
from enhance_sweep.records.keys import architecture_of
from enhance_sweep.records.store import challenge_records, timed_records
from enhance_sweep.timing import __main__ as command
from enhance_sweep.timing import variants
from enhance_sweep.timing.challenge import challenge
from enhance_sweep.timing.protocol import time_variants
from tests.unit.report import record_factory as make
from tests.unit.timing.simulated import EAGER, SimulatedHost, network, settings
from tests.unit.timing.test_protocol import _no_lock  # noqa: F401 - nothing real is timed here either


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """The command times on a simulated host."""
    host = SimulatedHost({64: 1000.0, 16: 100.0, 32: 300.0})
    asked: list[Any] = []

    def simulated(models: Any, timing: Any, runtime: Any, **others: Any) -> Any:
        asked.append((timing, runtime))
        return time_variants(models, timing, runtime, machine=host.machine(), **others)

    monkeypatch.setattr(command, "time_variants", simulated)
    host.measurements = asked  # type: ignore[attr-defined]
    return host


def test_the_named_sweeps_are_the_papers_tables() -> None:
    models = variants.of_sweep("table1") + variants.of_sweep("table2")
    assert len(variants.without_repeats(models)) == 24
    assert [architecture_of(model) for model in models].count(architecture_of(BASELINE)) == 1


def test_records_are_written_with_the_baselines_beside_them(host: SimulatedHost, tmp_path: Path) -> None:
    arguments = ["model.channels=16,32", "model.blocks=4", "--runs", str(tmp_path), "--size", "64x36"]
    assert command.main(arguments) == 0
    table = load_records(tmp_path).set_index("channels")
    assert set(table["size"]) == {"64x36"}
    assert table["latency_ms_median"].to_dict() == pytest.approx({16: 100.0, 32: 300.0, 64: 1000.0})


@pytest.mark.parametrize(("own", "policy"), [(None, "default"), ("active", "active")])
def test_records_say_how_threads_waited(
    own: str | None, policy: str, host: SimulatedHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if own:
        monkeypatch.setenv("OMP_WAIT_POLICY", own)
    assert command.main(["model.channels=16", "--timing", "quick", "--runs", str(tmp_path)]) == 0
    found = list(timed_records(tmp_path))
    assert {(one.measurement.wait_policy, one.environment.wait_policy) for one in found} == {(policy, policy)}
    texts = [json.loads(path.read_text()) for path in (tmp_path / "timed").rglob("*.json")]
    assert {text["environment"]["wait_policy"] for text in texts} == {policy}, "in so many words"
    assert {"wait_policy" in text["measurement"] for text in texts} == {bool(own)}, "but no new key at the default"


def test_every_combination_is_measured(host: SimulatedHost, tmp_path: Path) -> None:
    options = [
        "--runtime",
        "eager",
        "openvino",
        "--precision",
        "fp32",
        "bf16",
        "--lowered",
        "true",
        "false",
        "--allocator",
        "stock",
        "--threads",
        "2",
        "--budget",
        "7",
    ]
    command.main(["model.channels=16", "--runs", str(tmp_path), *options])
    asked = [(r["name"], r["lowered"], t.precision, t.allocator, t.threads, t.budget_s) for t, r in host.measurements]  # type: ignore[attr-defined]
    assert asked == list(product(("eager", "openvino"), (True, False), ("fp32", "bf16"), ("stock",), (2,), (7.0,)))


def test_what_was_trained_is_timed_where_nothing_else_is_asked(host: SimulatedHost, tmp_path: Path) -> None:
    architecture = architecture_of(network(16))
    make.write(tmp_path, [make.trained(architecture, seed=seed) for seed in range(2)])
    assert [architecture_of(model) for model in variants.of_runs(tmp_path)] == [architecture]


def test_a_failed_network_fails_the_command(
    host: SimulatedHost, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    host.dies = {32}
    assert command.main(["model.channels=16,32", "--runs", str(tmp_path)]) == 1
    assert "plain-k3-c32-b4                  failed: the timing worker was ended by SIGKILL" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sweep", "table9"], "--sweep: expected one of"),
        (["model.channels=16", "--size", "720p"], "--size: expected WIDTHxHEIGHT such as 1280x720, got '720p'"),
        (["model.chanels=16"], "chanels"),
        (["model.channels=16", "--threads", "-1"], "timing.threads: expected at least 0"),
        (["model.channels=16", "--threads", "100000"], "--threads: expected at most"),
        (["model.channels=16", "--photograph", "a.jpg", "b.jpg"], "--photograph: expected 1, got 2"),
        (["model.channels=16", "--photograph", "missing.jpg"], "no photograph at missing.jpg"),
        (["model.channels=16", "--photograph", __file__], "is not a readable photograph"),
        (["model.channels=16", "--challenge", "--photograph", "a.jpg"], "--photograph: expected 4, got 1"),
        (
            ["model.channels=16", "--challenge", "--lowered", "true"],
            "--challenge: the paper's Table 3 is of networks as",
        ),
        (["model.channels=16", "--budget", "nan"], "timing.budget_s: expected at least 0"),
        (["model.channels=16", "--size", "100000x100000"], "--size: expected at most"),
        (["model.channels=16", "--size", "²x²"], "--size: expected WIDTHxHEIGHT"),
        (["model.channels=4,0,8"], "channels: expected at least 1, got 0"),
        (["model.channels=many"], "channels"),
        (["+model.foo=3"], "foo"),
        (["~model"], "~model: expected a network's setting"),
        (["model=stride"], "strided"),
        (["model.channels=2", "runtime=openvino"], "runtime=openvino: expected a network's setting"),
        (["model.channels=2", "timing.precision=bf16"], "set by options such as --runtime"),
        ([], "nothing to time"),
    ],
)
def test_a_wrong_argument_is_named(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main([*arguments, "--runs", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


def test_a_place_that_takes_no_records_is_found_before_the_work(
    host: SimulatedHost, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert command.main(["model.channels=16", "--runs", str(tmp_path / "file" / "runs")]) == 2
    assert "cannot hold records" in capsys.readouterr().err
    assert not host.measurements  # type: ignore[attr-defined]


def test_a_disk_that_fills_up_ends_in_one_line(
    host: SimulatedHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "write_timed", Mock(side_effect=OSError(28, "No space left on device")))
    assert command.main(["model.channels=16", "--runs", str(tmp_path)]) == 1
    assert "No space left on device: anything measured before is in" in capsys.readouterr().err


def test_the_challenge_discards_two_calls_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enhance_sweep.timing.challenge.host_lock", nullcontext)
    host = SimulatedHost({16: 100.0})
    host.cold = [9.0, 5.0, 2.0, 1.0]
    found = challenge(network(16), settings(), EAGER, machine=host.machine())
    assert found.latency_s_mean == pytest.approx(0.15)
    assert len({call.photograph for call in found.samples}) == 4
    with pytest.raises(ValueError, match="takes 4 photographs, got 1"):
        challenge(network(16), settings(), EAGER, ["one.jpg"], machine=host.machine())


def test_what_the_challenge_finds_is_written_and_read_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("enhance_sweep.timing.challenge.host_lock", nullcontext)
    host = SimulatedHost({16: 100.0, 32: 300.0})
    machine = host.machine()
    monkeypatch.setattr("enhance_sweep.timing.challenge.Machine.real", lambda timing: machine)
    assert command.main(["model.channels=16,32", "--challenge", "--threads", "1", "--runs", str(tmp_path)]) == 0
    found = {record.architecture["channels"]: record for record in challenge_records(tmp_path)}
    assert {channels: record.latency_s_mean for channels, record in found.items()} == pytest.approx({16: 0.1, 32: 0.3})
    assert {(r.measurement.allocator, r.environment.allocator) for r in found.values()} == {("stock", "stock")}
    assert {(r.measurement.wait_policy, r.environment.wait_policy) for r in found.values()} == {("default", "default")}
    assert "plain-k3-c16-b4: 0.10 s, 0.10 GiB" in capsys.readouterr().out


@pytest.mark.slow
def test_a_real_network_is_timed(tmp_path: Path) -> None:
    arguments = ["model.channels=8", "model.blocks=1", "--runs", str(tmp_path), "--timing", "quick", "--size", "160x90"]
    assert command.main(arguments) == 0
    (row,) = load_records(tmp_path).to_dict("records")
    assert row["latency_ms_median"] > 0
    assert row["peak_rss_mib"] > row["peak_rss_delta_mib"] > 0
