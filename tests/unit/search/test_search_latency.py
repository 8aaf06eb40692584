"""Which latencies a search compares."""

from pathlib import Path

from enhance_sweep.search.latency import AnyHost, OneHost
from tests.unit.report import record_factory as make


def test_latencies_of_another_host_are_taken_over_and_those_of_another_way_to_wait_are_not(tmp_path: Path) -> None:
    networks = [make.BASELINE, make.PROPOSED]
    asleep = {"host": "asleep", "wait_policy": "passive"}
    runs = make.write(
        tmp_path,
        [
            *(make.timed(one, 100.0, measurement=asleep) for one in networks),
            make.timed(make.PROPOSED, 300.0, measurement={"host": "elsewhere", "threads": 8}),
        ],
    )
    latencies = OneHost(runs, make.MEASUREMENT | {"host": "here"})
    latencies.adopt_host(networks)
    assert latencies.measurement == make.MEASUREMENT | {"host": "elsewhere", "threads": 8}
    assert latencies.measured_ms(make.PROPOSED) == 300.0
    assert latencies.measured_ms(make.BASELINE) is None


# --- of any host ------------------------------------------------------------------------------------------------------


def on(host: str, architecture: make.Record, latency_ms: float, **changes: object) -> make.Record:
    return make.timed(architecture, latency_ms, measurement={"host": host, "threads": 2 + len(host)}, **changes)


def test_two_hosts_are_compared_by_their_own_baselines(tmp_path: Path) -> None:
    small, large = make.strided(3, 4, 8), make.strided(3, 4, 32)
    runs = make.write(
        tmp_path,
        [
            *(on("slow", one, ms) for one, ms in ((make.BASELINE, 8000.0), (small, 100.0), (make.PROPOSED, 800.0))),
            *(on("fast", one, ms) for one, ms in ((make.BASELINE, 2000.0), (large, 500.0))),
        ],
    )
    for here in ("slow", "fast"):
        latencies = AnyHost(runs, make.MEASUREMENT | {"host": here})
        assert latencies.measured_ms(small) is None, "not before one of them is the reference"
        assert latencies.host_baseline_ms() == {"slow": 8000.0, "fast": 2000.0}[here]
        latencies.reference_ms = latencies.host_baseline_ms()
        ratios = [latencies.speed_up_of(one) for one in (small, make.PROPOSED, large, make.BASELINE)]
        assert ratios == [80.0, 10.0, 4.0, 1.0]
        assert latencies.measured_ms(large) == {"slow": 2000.0, "fast": 500.0}[here]
    assert AnyHost(runs, make.MEASUREMENT | {"host": "new"}).host_baseline_ms() in (2000.0, 8000.0)


def test_a_host_without_a_baseline_says_nothing_unless_it_was_paired(tmp_path: Path) -> None:
    runs = make.write(tmp_path, [on("bare", make.PROPOSED, 100.0)])
    assert AnyHost(runs, make.MEASUREMENT, 5000.0).measured_ms(make.PROPOSED) is None
    beside = make.paired(make.PROPOSED, 100.0, 4000.0, measurement={"host": "bare"})
    runs = make.write(tmp_path, [beside])
    latencies = AnyHost(runs, make.MEASUREMENT, 5000.0)
    assert latencies.speed_up_of(make.PROPOSED) == 40.0
    assert latencies.measured_ms(make.PROPOSED) == 125.0


def test_a_paired_timing_counts_before_a_quick_one_and_the_first_before_later_ones(tmp_path: Path) -> None:
    def at(hour: int) -> dict[str, str]:
        return {"finished_at": f"2026-01-02T{hour:02}:00:00Z"}

    quick = [on("a", make.PROPOSED, 100.0, **at(2)), on("b", make.PROPOSED, 50.0, **at(1))]
    baselines = [on("a", make.BASELINE, 4000.0), on("b", make.BASELINE, 4000.0)]
    runs = make.write(tmp_path / "quick", [*quick, *baselines])
    assert AnyHost(runs, make.MEASUREMENT).speed_up_of(make.PROPOSED) == 80.0, "b was first"
    beside = make.paired(make.PROPOSED, 100.0, 2000.0, measurement={"host": "c"}, **at(3))
    runs = make.write(tmp_path / "paired", [*quick, *baselines, beside])
    assert AnyHost(runs, make.MEASUREMENT).speed_up_of(make.PROPOSED) == 20.0


def test_another_way_to_time_is_not_compared(tmp_path: Path) -> None:
    other = {"host": "bench-1", "precision": "bf16"}
    runs = make.write(tmp_path, [make.timed(one, 100.0, measurement=other) for one in (make.BASELINE, make.PROPOSED)])
    latencies = AnyHost(runs, make.MEASUREMENT)
    assert latencies.host_baseline_ms() is None
    assert latencies.speed_up_of(make.PROPOSED) is None
