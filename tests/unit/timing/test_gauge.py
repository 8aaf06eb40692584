"""The machine's own speed, from readings that are written down beforehand."""

from collections.abc import Iterator
from typing import Any

import pytest

from enhance_sweep.timing.gauge import Best, Gauge


class Machine:
    """Answers with the given readings, then with 20 ms for ever; each probe takes a second of its clock."""

    def __init__(self, *readings_ms: float) -> None:
        self.readings: Iterator[float] = iter(readings_ms)
        self.samples: list[dict[str, list[float]]] = [{}]  # the first are those of the calibration
        self.time_s = 0.0

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        if command == "samples":
            return {"samples_ms": self.samples.pop(0)}
        assert command == "probe"
        self.time_s += 1.0
        return {"probe_ms": next(self.readings, 20.0)}

    def close(self) -> None:
        raise AssertionError("the gauge does not own its processes")


def gauge(machine: Machine) -> Gauge:
    return Gauge(machine, machine, lambda: machine.time_s)


def test_the_best_is_what_the_quiet_machine_does_whatever_else_was_seen() -> None:
    best = Best()
    for reading in (20.0, 30.0, 20.2, 41.0, 20.1):
        best.slowdown([reading])
    assert best.slowdown([30.075]) == pytest.approx(0.5)


def test_a_machine_that_was_slow_at_first_is_found_out_later() -> None:
    machine = Machine(*[30.0] * 5, 20.0)
    one = gauge(machine)
    assert one.read() == pytest.approx(0.0)
    machine.readings = iter([30.0])
    assert one.read() == pytest.approx(0.5)


def test_waiting_ends_when_it_is_quiet_or_patience_is_out() -> None:
    machine = Machine(*[20.0] * 5, 26.0, 26.0, 20.0)
    machine.samples = [{}, {}, {}]
    one = gauge(machine)
    assert one.wait_until_quiet() == pytest.approx(0.0)
    assert machine.time_s == 8.0
    machine.readings = iter([26.0] * 100)
    assert one.wait_until_quiet() == pytest.approx(0.3)
    assert machine.time_s == 8.0 + 10.0


def test_a_call_is_as_disturbed_as_its_slowest_core_was_but_for_its_slowest_sample() -> None:
    machine = Machine()
    machine.samples = [
        {"0": [0.2] * 6, "1": [0.2] * 6},
        {"0": [9.0], "1": [9.0]},
        {"0": [0.2, 0.3, 0.3, 0.2, 9.0], "1": [0.2, 0.2, 0.2, 0.2, 0.2]},
        {"0": [0.2], "1": [0.2, 0.2, 0.2]},
    ]
    one = gauge(machine)
    one.wait_until_quiet()  # forgets what was sampled while it waited
    assert one.since() == pytest.approx(0.25)
    assert one.since() is None


def test_the_first_call_is_judged_by_what_the_cores_did_before_it() -> None:
    machine = Machine()
    machine.samples = [{"0": [0.2] * 7, "1": [0.2] * 3}, {"0": [0.3] * 4, "1": [0.3] * 4}]
    assert gauge(machine).since() == pytest.approx(0.5)
