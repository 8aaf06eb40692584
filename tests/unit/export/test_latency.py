"""An export beside eager, by the timing protocol, on a simulated host."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import msgspec
import pytest

from enhance_sweep.export import latency
from enhance_sweep.records.schema import Samples
from enhance_sweep.stats.speed_up import disturbances, speed_up
from enhance_sweep.timing.process import TimingError
from tests.unit.timing.simulated import SimulatedHost, SimulatedWorker, network, settings

FILE_MS, EAGER_MS = 250.0, 1000.0


@pytest.fixture(autouse=True)
def _no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing real is timed here."""
    monkeypatch.setattr(latency, "host_lock", nullcontext)


class Worker(SimulatedWorker):
    """The file and eager are the same network: what differs is the runtime."""

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        if command == "load":
            runtime = arguments["runtime"]
            arguments["model"] = network(1 if runtime["name"] == "onnx" else 2)
            if runtime["name"] == "onnx":
                assert (runtime["precision"], Path(runtime["file"]).name) == ("int8", "model.onnx")
        return super().ask(command, **arguments)


def timed(host: SimulatedHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **changes: Any) -> dict[str, Any]:
    from tests.unit.timing import simulated

    monkeypatch.setattr(simulated, "SimulatedWorker", Worker)
    timing = settings(**changes)
    return latency.time_beside_eager(network(64), "onnx", "int8", tmp_path / "model.onnx", timing, host.machine())


def test_a_file_is_paired_with_its_own_network_in_eager(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    host = SimulatedHost({1: FILE_MS, 2: EAGER_MS})
    record = timed(host, monkeypatch, tmp_path)
    assert record["latency_ms_median"] == pytest.approx(FILE_MS)
    assert record["eager_latency_ms_median"] == pytest.approx(EAGER_MS)
    assert record["peak_rss_mib"] == 500
    assert (record["stopped"], record["flags"]) == ("interval within 2%", [])
    ratio = speed_up(msgspec.convert(record["samples"], Samples))
    assert ratio is not None
    assert (ratio.median, ratio.processes) == (pytest.approx(4.0), 3)
    asked = {command for command, _ in host.asked}
    assert not asked & {"check", "limit"}, "a file is checked on photographs, with its own weights"


def test_disturbed_rounds_are_flagged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    host = SimulatedHost({1: FILE_MS, 2: EAGER_MS})
    host.others = lambda time_s: 0.5
    record = timed(host, monkeypatch, tmp_path, budget_s=10.0)
    assert any("other work took" in flag for flag in record["flags"])


@pytest.mark.parametrize("dies", [1, 2])
def test_what_cannot_be_timed_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dies: int) -> None:
    host = SimulatedHost({1: FILE_MS, 2: EAGER_MS})
    host.dies = {dies}
    with pytest.raises(TimingError, match="SIGKILL"):
        timed(host, monkeypatch, tmp_path)


def test_a_round_that_stayed_disturbed_is_held_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    host = SimulatedHost({1: FILE_MS, 2: EAGER_MS})
    host.others = lambda time_s: 0.5 if time_s % 20 > 16 else 0.0
    record = timed(host, monkeypatch, tmp_path, repeats=0, processes=1, samples=5)
    rounds = [process.rounds for process in msgspec.convert(record["samples"], Samples).processes]
    quiet = [sum(not disturbances(one) for one in some) for some in rounds]
    assert all(5 <= len(some) <= 10 for some in rounds)
    assert any(len(some) > 5 for some in rounds)
    assert quiet == [5] * len(rounds)
