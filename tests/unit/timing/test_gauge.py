"""The machine's own speed, from readings that are written down beforehand."""

from collections.abc import Iterator
from typing import Any

import pytest

from enhance_sweep.timing.gauge import Best, Gauge


class Machine:
    """Answers with the given readings, then with 20 ms for ever; each probe takes a second of its clock."""

    def __init__(self, *readings_ms: float) -> None:
        self.readings: Iterator[float] = iter(readings_ms)
        self.samples: list[dict[str, list[float]]] = []
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
    machine.samples = [{}, {}]
    one = gauge(machine)
    assert one.wait_until_quiet() == pytest.approx(0.0)
    assert machine.time_s == 8.0
    machine.readings = iter([26.0] * 100)
    assert one.wait_until_quiet() == pytest.approx(0.3)
    assert machine.time_s == 8.0 + 10.0


def test_a_call_is_as_disturbed_as_its_slowest_core_was_on_average() -> None:
    machine = Machine()
    one = gauge(machine)
    quiet = {"0": [0.2, 0.2, 0.2], "1": [0.2, 0.2, 0.2]}
    half = {"0": [0.2, 0.3, 0.2, 0.3], "1": [0.2, 0.2, 0.2]}
    machine.samples = [quiet, {"0": [9.0], "1": [9.0]}, half, {"0": [0.2], "1": [0.2, 0.2, 0.2]}]
    assert one.since() == pytest.approx(0.0)
    one.wait_until_quiet()  # forgets what was sampled while it waited
    assert one.since() == pytest.approx(0.25)
    assert one.since() is None
