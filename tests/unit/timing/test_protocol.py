"""The protocol on a simulated host, whose clock only calls move."""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from enhance_sweep.records.schema import Check
from enhance_sweep.stats.speed_up import speed_up
from enhance_sweep.timing import protocol
from enhance_sweep.timing.recording import believable
from enhance_sweep.timing.statistics import agree, median
from tests.unit.timing.simulated import EAGER, SimulatedHost, network, settings


@pytest.fixture(autouse=True)
def _no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing real is timed here, so the real host's lock is left alone."""

    @contextmanager
    def unlocked() -> Iterator[None]:
        yield

    monkeypatch.setattr(protocol, "host_lock", unlocked)


def host_of(latency_ms: float = 100.0, **wrong: Any) -> SimulatedHost:
    """The baseline takes a second, a network of 32 channels 300 ms and that of 16 this; with what goes wrong."""
    host = SimulatedHost({64: 1000.0, 16: latency_ms, 32: 300.0})
    vars(host).update(wrong)
    return host


def time(host: SimulatedHost, channels: list[int], runtime: Any = EAGER, says: Any = None, **changes: Any) -> list[Any]:
    models = [network(c) for c in channels]
    return protocol.time_variants(models, settings(**changes), runtime, machine=host.machine(), **says or {})


def test_the_baseline_runs_in_every_round_and_orders_differ() -> None:
    records = time(host_of(), [16, 32], samples=8)
    rounds = [one for record in records for process in record.samples.processes for one in process.rounds]
    assert len(rounds) == 2 * 3 * 8
    assert all(one.baseline_latency_ms == pytest.approx(1000) for one in rounds)
    assert {one.position for one in rounds} == {0, 1, 2, 3}  # beside these two and the baseline, its check


def test_paired_ratios_survive_a_host_that_slows_down() -> None:
    (record,) = time(host_of(500.0, slowdown=lambda time_s: 1.0 + time_s / 100), [16], samples=5, warm_up_calls=3)
    ratio = speed_up(record.samples)
    assert ratio.median == pytest.approx(2.0, rel=0.02)
    # The medians of each, taken one after the other as is common practice, would be far off.
    assert 1000.0 / record.latency_ms_median < 1.8


def test_what_an_interrupted_run_measured_is_kept() -> None:
    kept: list[Any] = []

    def interrupt(line: str) -> None:
        if line.startswith("plain-k3-c32"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        time(host_of(), [16, 32], says={"tell": interrupt, "done": kept.append})
    assert sorted(record.architecture["channels"] for record in kept) == [16, 32]
    assert {record.stopped for record in kept} == {"interrupted"}
    assert all(record.latency_ms_median > 0 for record in kept)


def test_a_quiet_variant_stops_when_its_interval_is_narrow() -> None:
    (record,) = time(host_of(noise=0.003), [16], budget_s=1e6)
    assert record.stopped == "interval within 2%"
    assert len(record.samples.processes) == 3
    assert record.flags == []


def test_an_unsteady_variant_gets_more_processes_until_the_budget_ends() -> None:
    host = host_of(1000.0, process_luck=0.2)
    (record,) = time(host, [16], budget_s=200.0, warm_up_calls=2)
    assert record.stopped == "budget spent"
    assert len(record.samples.processes) > 3
    # The baseline against itself brings its share of the budget. A process that would not fit is not started.
    assert 2 * 200.0 - 15 <= host.time_s <= 2 * 200.0
    ratio = speed_up(record.samples)
    assert not ratio.within(0.02)


def test_the_baseline_against_itself_is_among_the_first_and_is_believed_when_steady() -> None:
    host = SimulatedHost(dict.fromkeys(range(1, 13), 100.0) | {64: 1000.0})
    host.noise = 0.003
    records = time(host, list(range(1, 13)))
    loads = [channels for command, channels in host.asked if command == "load"]
    size = protocol.GROUP_SIZE + 1
    sessions = [loads[start : start + size] for start in range(0, len(loads), size)]
    assert all(session.count(64) == 2 for session in sessions[:3])
    assert loads.count(64) < len(sessions) + 5  # settled, it is there once in each session, for the others' sake
    for record in records:
        assert record.baseline_check.median == pytest.approx(1.0, abs=0.01)
        assert record.baseline_check.processes == 3


def test_no_record_is_written_before_the_check_is_done() -> None:
    told: list[str] = []
    written: list[int] = []
    says = {"tell": told.append, "done": lambda record: written.append(len(told))}
    time(host_of(process_luck=0.05), [16], says=says, budget_s=200.0)
    stopped = next(index for index, line in enumerate(told) if "c64" in line and "to be continued" not in line)
    assert written[0] > stopped


def test_a_run_whose_baseline_differs_from_itself_is_flagged() -> None:
    (record,) = time(host_of(process_luck=0.1), [16], budget_s=10.0)
    assert any("the baseline against itself gave" in flag for flag in record.flags)


def test_the_baselines_own_record_is_the_check() -> None:
    host = SimulatedHost({64: 1000.0})
    (record,) = time(host, [64])
    ratio = speed_up(record.samples)
    assert ratio.median == record.baseline_check.median == pytest.approx(1.0)
    assert believable(ratio)
    assert Counter(command for command, _ in host.asked)["load"] == 6


def test_a_disturbed_call_is_repeated_and_both_are_kept() -> None:
    (record,) = time(host_of(500.0, others=lambda time_s: 0.4 if time_s % 5 < 1 else 0.0), [16], repeats=2)
    processes = record.samples.processes
    repeated = [one for process in processes for one in process.repeated_calls]
    assert record.repeated_calls == len(repeated) > 0
    assert all("other work took" in one.conditions.disturbed_by[0] for one in repeated)
    assert record.latency_ms_median == pytest.approx(500)
    assert record.latency_ms_iqr == pytest.approx(0)
    assert record.flags == []


def test_a_host_that_stays_busy_is_flagged() -> None:
    (record,) = time(host_of(500.0, others=lambda time_s: 0.5), [16], repeats=1)
    assert any(flag.startswith("9 of 9 rounds were disturbed: other work took 50%") for flag in record.flags)
    assert record.repeated_calls == 9
    assert record.disturbed_rounds == 9


def test_neighbours_that_slow_the_machine_down_now_and_then_are_waited_for() -> None:
    host = host_of(noise=0.005, contention=lambda time_s: 1.3 if time_s % 7 < 3 else 1.0)
    (record,) = time(host, [16], budget_s=1e5)
    ratio = speed_up(record.samples)
    assert ratio.median == pytest.approx(10.0, rel=0.01)
    assert record.latency_ms_median == pytest.approx(100, rel=0.02)
    assert record.stopped == "interval within 2%"
    assert record.flags == []
    # Without the gauge, calls of both kinds are taken for the network's own spread.
    (alone,) = time(host, [16], paired=False, samples=60, processes=1)
    assert alone.latency_ms_iqr > 0.1 * alone.latency_ms_median


def test_a_machine_that_turns_slow_for_good_is_flagged() -> None:
    (record,) = time(host_of(contention=lambda time_s: 1.2 if time_s > 8 else 1.0), [16], budget_s=50.0)
    assert any("the machine was 20% slower than at its best" in flag for flag in record.flags)
    assert record.samples.processes[-1].rounds[0].conditions.slowdown_during == pytest.approx(0.2)


def test_disturbed_rounds_are_left_out_where_enough_others_are_left() -> None:
    (record,) = time(
        host_of(500.0, others=lambda time_s: 0.5 if time_s > 90 else 0.0),
        [16],
        samples=8,
        repeats=0,
        processes=3,
        budget_s=100.0,
    )
    assert record.disturbed_rounds > 0
    assert record.latency_ms_median == pytest.approx(500)
    assert record.latency_ms_iqr == pytest.approx(0)


def test_warm_up_lasts_until_three_calls_agree() -> None:
    (record,) = time(host_of(cold=[3.0, 2.0, 1.5, 1.0]), [16], paired=False, processes=1)
    (process,) = record.samples.processes
    assert process.warm_up_ms == pytest.approx([200, 150, 100, 100, 100])
    assert process.warm
    assert record.first_call_ms == pytest.approx(300)
    assert record.latency_ms_median == pytest.approx(100)


def test_a_network_that_never_gets_warm_is_flagged() -> None:
    (record,) = time(host_of(slowdown=lambda time_s: 1.0 + time_s), [16], paired=False, processes=1, warm_up_calls=4)
    assert any("warm-up ended" in flag for flag in record.flags)


def test_a_variant_that_dies_is_failed_and_the_others_go_on() -> None:
    host = host_of(dies={32})
    small, large = time(host, [16, 32])
    assert (small.status, large.status) == ("completed", "failed")
    assert "SIGKILL" in large.reason
    assert large.latency_ms_median is None
    assert host.alive == 0


def test_without_a_baseline_nothing_is_completed() -> None:
    (record,) = time(host_of(dies={64}), [16])
    assert record.status == "failed"
    assert "the baseline could not be timed" in record.reason


def test_few_networks_are_held_at_once_and_fewer_where_memory_is_short() -> None:
    latencies = {64: 100.0} | dict.fromkeys(range(1, 8), 10.0)
    host = SimulatedHost(latencies)
    time(host, list(range(1, 8)))
    assert host.most_alive == protocol.GROUP_SIZE + 3  # the baseline and the gauge's two
    host = SimulatedHost(latencies)
    host.free_memory_share = 0.3
    records = time(host, list(range(1, 8)))
    assert host.most_alive == 4
    assert all(record.status == "completed" for record in records)


def test_memory_is_the_median_of_a_fresh_process_each() -> None:
    (record,) = time(host_of(), [16])
    deltas = [p.first_call.memory.peak_rss_delta_mib for p in record.samples.processes]
    assert len(set(deltas)) == 3
    assert record.peak_rss_delta_mib == median(deltas)


@pytest.mark.parametrize(
    ("precision", "check", "failed"),
    [
        ("fp32", {"max_abs_error": 9e-4, "psnr_db": 80.0}, False),
        ("fp32", {"max_abs_error": 2e-3, "psnr_db": 80.0}, True),
        ("bf16", {"max_abs_error": 0.1, "psnr_db": 40.5}, False),
        ("bf16", {"max_abs_error": 0.1, "psnr_db": 39.5}, True),
        ("bf16", {"max_abs_error": 0.0, "psnr_db": None}, False),
    ],
)
def test_a_runtime_that_computes_something_else_is_an_error(precision: str, check: Any, failed: bool) -> None:
    host = host_of(check=check)
    (record,) = time(host, [16], {"_target_": "x.Y", "name": "other"}, paired=False, precision=precision)
    assert (record.status == "failed") == failed
    assert record.check == Check(**check)
    assert host.asked[0] == ("check", 16)


def test_eager_fp32_is_what_others_are_compared_with() -> None:
    host = host_of()
    time(host, [16], paired=False)
    assert "check" not in [command for command, _ in host.asked]
    time(host, [16], paired=False, precision="bf16")
    assert "check" in [command for command, _ in host.asked]


@pytest.mark.parametrize(
    ("latencies_ms", "warm"),
    [
        ([300, 100, 101], False),  # the cold call was the slow one, and only one came before
        ([300, 100, 107, 101], True),  # scatter is no warming
        ([300, 112, 106, 100], False),  # still getting faster
        ([100, 110, 120, 130], False),  # getting slower
        ([100, 102], False),  # too few
        ([100, 102, 101], True),
    ],
)
def test_calls_that_get_neither_faster_nor_slower_are_warm(latencies_ms: list[float], warm: bool) -> None:
    assert protocol.is_warm(latencies_ms) == warm


def test_scatter_is_not_flagged_as_cold_but_a_busy_machine_is() -> None:
    draw = random.Random(0)
    warm_ups = [[draw.gauss(100, 3) for _ in range(7)] for _ in range(2000)]
    cold = sum(not any(protocol.is_warm(calls[:count]) for count in range(1, 8)) for calls in warm_ups)
    agreeing = sum(any(agree(calls[start : start + 3], 0.05) for start in range(5)) for calls in warm_ups)
    assert cold < 0.05 * len(warm_ups)
    assert cold < 0.5 * (len(warm_ups) - agreeing), "three calls in a row that agree are rarer"
    (busy,) = time(host_of(others=lambda time_s: 0.5), [16])
    assert any("warm-up ended before calls agreed in 3 of 3" in flag for flag in busy.flags)


def test_a_long_session_does_not_overrun_the_budget() -> None:
    host = SimulatedHost({64: 4000.0, 16: 2000.0, 32: 4000.0})
    host.process_luck, host.noise = 0.1, 0.03
    records = time(host, [16, 32], budget_s=60.0)
    assert {record.stopped for record in records} == {"budget spent"}
    assert host.time_s < 1.06 * 3 * 60.0
    assert all(len(rounds_of(record)) >= 3 for record in records), "enough for an interval"


def test_rounds_end_with_the_budget() -> None:
    (record,) = time(host_of(), [16], samples=500, budget_s=60.0)
    assert record.stopped == "budget spent"
    assert 3 <= len(rounds_of(record)) < 500
    (spent,) = time(host_of(), [16], samples=500, budget_s=0.0)
    assert len(rounds_of(spent)) == 3


def rounds_of(record: Any) -> list[Any]:
    return [one for process in record.samples.processes for one in process.rounds]


@pytest.mark.parametrize(("error", "failed"), [(9e-5, False), (2e-4, True)])
def test_a_lowered_network_is_compared_with_the_network_as_written(error: float, failed: bool) -> None:
    host = host_of(check={"max_abs_error": error, "psnr_db": 90.0})
    (record,) = time(host, [16], EAGER | {"lowered": True}, paired=False)
    assert host.asked[0] == ("check", 16)
    assert (record.status == "failed") == failed
    assert not failed or "of the network as written by 0.0002: expected 0.0001 at most" in record.reason
    assert record.measurement.lowered
    (as_written,) = time(host_of(), [16], EAGER | {"lowered": False}, paired=False)
    assert as_written.key != record.key
    assert as_written.key == time(host_of(), [16], paired=False)[0].key, "old keys stand"
