"""Which latencies a search compares."""

from pathlib import Path

from enhance_sweep.search.latency import Latencies
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
    latencies = Latencies(runs, make.MEASUREMENT | {"host": "here"})
    latencies.adopt_host(networks)
    assert latencies.measurement == make.MEASUREMENT | {"host": "elsewhere", "threads": 8}
    assert latencies.measured_ms(make.PROPOSED) == 300.0
    assert latencies.measured_ms(make.BASELINE) is None
