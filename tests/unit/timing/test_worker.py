"""Real worker processes: their protocol, their deaths, their memory."""

import copy
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from enhance_sweep.system.waiting import VARIABLES
from enhance_sweep.timing import worker as worker_module
from enhance_sweep.timing.process import TimingError, Worker
from tests.unit.timing.simulated import EAGER

NETWORKS = "tests.unit.timing.networks"


JOB: dict[str, Any] = {
    **{"model": {"_target_": f"{NETWORKS}.Tiny"}, "runtime": EAGER, "precision": "fp32", "layout": "channels_last"},
    **{"threads": 1, "seed": 0, "width": 32, "height": 18, "photograph": None},
}

Load = Callable[..., Worker]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Start a worker with a network of `networks.py`; all are ended after the test."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3]))
    workers: list[Worker] = []

    def start(network: str, allocator: str = "stock", **job: Any) -> Worker:
        workers.append(Worker(1, [], allocator))
        workers[-1].ask("load", **JOB | {"model": {"_target_": f"{NETWORKS}.{network}", "name": "tiny"}} | job)
        return workers[-1]

    yield start
    for worker in workers:
        worker.close()


def test_a_call_is_timed_in_another_process(load: Load) -> None:
    call = load("Tiny").ask("call", memory=True)
    assert call["latency_ms"] > 0
    assert call["memory"]["peak_rss_mib"] >= call["memory"]["peak_rss_delta_mib"] >= 0


@pytest.mark.skipif(sys.platform != "linux", reason="a process's environment is a file on Linux alone")
@pytest.mark.parametrize("own", [{}, {"OMP_WAIT_POLICY": "active"}, {"GOMP_SPINCOUNT": "1000"}])
def test_a_workers_threads_wait_as_the_user_has_set_and_else_by_default(
    own: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert os.environ["OMP_WAIT_POLICY"] == "passive", "as wherever we compute"
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    with Worker(1, [], "stock") as worker:
        worker.ask("watch", cores=[])  # when it answers, it is there
        lines = Path(f"/proc/{worker._process.pid}/environ").read_text().split("\0")
    environment = dict(line.split("=", 1) for line in lines if line)
    assert {name: environment[name] for name in VARIABLES if name in environment} == own


def test_a_second_network_can_be_loaded_after_the_first(load: Load) -> None:
    worker = load("Tiny")
    worker.ask("call", memory=False)
    worker.ask("load", **JOB | {"layout": "channels_first", "width": 16, "height": 9})
    assert worker.ask("call", memory=True)["latency_ms"] > 0


def test_what_a_network_prints_does_not_disturb_the_protocol(load: Load) -> None:
    worker = load("Chatty")
    assert [worker.ask("call", memory=False)["latency_ms"] > 0 for _ in range(2)] == [True, True]


def test_an_exception_is_told_and_the_worker_lives_on(load: Load) -> None:
    worker = load("Raising")
    for _ in range(2):
        with pytest.raises(TimingError, match="RuntimeError: this network cannot run"):
            worker.ask("call", memory=False)


def test_a_killed_worker_is_an_error_with_its_signal_and_last_words(load: Load) -> None:
    worker = load("Killed")
    with pytest.raises(TimingError, match=r"(?s)SIGKILL.*out of memory.*'call'.*a last word"):
        worker.ask("call", memory=False)
    with pytest.raises(TimingError, match="SIGKILL"):
        worker.ask("call", memory=False)


@pytest.mark.parametrize("allocator", ["tuned", pytest.param("stock", marks=pytest.mark.slow)])
def test_memory_is_that_of_the_call_alone(load: Load, allocator: str) -> None:
    for mib in (1024, 200):
        worker = load("Tiny", allocator, runtime={"_target_": f"{NETWORKS}.Allocating", "mib": mib})
        assert worker.ask("call", memory=True)["memory"]["peak_rss_delta_mib"] == pytest.approx(mib, abs=10)
        worker.close()


@pytest.mark.skipif(sys.platform != "linux", reason="the high-water mark can be reset on Linux alone")
def test_memory_within_one_process_is_that_of_the_last_call_too(load: Load) -> None:
    worker = load("Tiny", runtime={"_target_": f"{NETWORKS}.Allocating", "mib": 300})
    peaks = [worker.ask("call", memory=True)["memory"] for _ in range(2)]
    assert [peak["peak_rss_delta_mib"] for peak in peaks] == pytest.approx([300, 300], abs=10)
    assert {peak["method"] for peak in peaks} == {"VmHWM after clear_refs"}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a worker ends after its call")
def test_a_worker_ends_with_its_parent() -> None:
    program = (
        "import os; from enhance_sweep.timing.process import Worker; w = Worker(1, [], 'stock');"
        "print(w._process.pid, flush=True);"
        "\ntry: w.ask('call', memory=False)\nexcept Exception: pass\nos.kill(os.getpid(), 9)"
    )
    parent = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert parent.returncode == -9
    pid = int(parent.stdout)
    # The kernel ended it with its parent; where nobody has collected it yet, it is a zombie.
    status = Path(f"/proc/{pid}/status")
    assert not status.exists() or "zombie" in status.read_text() or _ended(pid)


def _ended(pid: int) -> bool:
    """Wait for a process that is not ours, without polling."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 60)[0])
    finally:
        os.close(handle)


def test_a_comparison_with_eager_shows_the_error(load: Load) -> None:
    with Worker(1, [], "stock") as worker:
        found = worker.ask("check", **JOB | {"runtime": {"_target_": f"{NETWORKS}.Wrong", "error": 0.25}})
    assert found["max_abs_error"] == pytest.approx(0.25, abs=1e-6)
    assert found["reference_std"] > 0.05


def test_the_gauges_two_kinds_of_work_are_timed() -> None:
    with Worker(1, [], "stock") as worker:
        assert worker.ask("probe")["probe_ms"] > 0.1
        worker.ask("watch", cores=[min(os.sched_getaffinity(0))] if hasattr(os, "sched_getaffinity") else [])
        samples: list[float] = []
        while len(samples) < 3:
            (taken,) = worker.ask("samples")["samples_ms"].values()
            samples += taken
        assert all(0.001 < sample < 1000 for sample in samples)


@pytest.mark.parametrize(
    ("precision", "in_hardware", "measured"),
    [
        ("fp32", False, {"fp32_gflops", "copy_gb_per_s"}),
        ("fp32", True, {"fp32_gflops", "bf16_gflops", "copy_gb_per_s"}),
        ("bf16", False, {"fp32_gflops", "bf16_gflops", "copy_gb_per_s"}),
    ],
)
def test_the_limit_of_bf16_is_measured_where_asked_for_or_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, precision: str, in_hardware: bool, measured: set[str]
) -> None:
    monkeypatch.setattr(worker_module, "has_bf16_arithmetic", lambda: in_hardware)
    monkeypatch.setattr(worker_module, "_LIMIT_SIDES", (64, 128))
    monkeypatch.setattr(worker_module, "_COPIED_VALUES", 2**20)
    rates = worker_module.limit({"threads": 1, "precision": precision})
    assert set(rates) == measured
    assert all(rate > 0 for rate in rates.values())


def test_a_slow_processor_multiplies_small_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    sides: list[int] = []

    def measured(run: Callable[[], Any]) -> dict[str, Any]:
        if run.__defaults__ is None:  # type: ignore[attr-defined]
            return {"latency_ms": 0.5}  # a copy
        matrix = run.__defaults__[-1]  # type: ignore[attr-defined]  # a convolution's kernel is one, too
        sides.append(len(matrix))
        return {"latency_ms": 2 * len(matrix) ** 3 / 1e9 / 0.6 * 1e3}  # 0.6 GFLOP/s

    monkeypatch.setattr(worker_module, "_measured", measured)
    monkeypatch.setattr(worker_module, "_LIMIT_SIDES", (64, 512, 1024))
    monkeypatch.setattr(worker_module, "_COPIED_VALUES", 10**6)
    monkeypatch.setattr(worker_module, "has_bf16_arithmetic", lambda: False)
    rates = worker_module.limit({"threads": 1, "precision": "fp32"})
    assert rates["fp32_gflops"] == pytest.approx(0.6)
    assert max(sides) == 512
    assert rates["copy_gb_per_s"] == pytest.approx(16), "4 MB read and 4 MB written in 0.5 ms"


def test_nothing_but_the_standard_library_is_imported_before_the_process_is_pinned() -> None:
    heavy = {"torch", "numpy", "scipy", "pandas", "msgspec"}
    code = f"import sys, enhance_sweep.timing.worker; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def test_a_lowered_network_is_what_runs_and_is_compared_with_the_written_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def lowered(network: Any, form: str) -> Any:
        assert form == {"channels_last": "eager", "channels_first": "any"}[job["layout"]]
        halved = copy.deepcopy(network)
        halved.output.weight.data.mul_(0.5)
        return halved

    monkeypatch.setattr("enhance_sweep.lowering.lowered", lowered)
    job = JOB | {"model": {"_target_": f"{NETWORKS}.Tiny", "name": "tiny"}}
    as_written = worker_module.check(job | {"runtime": EAGER | {"lowered": False}})
    assert as_written["max_abs_error"] < 1e-5
    assert worker_module.check(job | {"runtime": EAGER | {"lowered": True}})["max_abs_error"] > 1e-2
