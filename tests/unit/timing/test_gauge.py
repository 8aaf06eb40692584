"""The machine's own speed, from readings that are written down beforehand."""

from collections.abc import Iterator
from typing import Any

import pytest

from enhance_sweep.timing.gauge import Gauge


class Machine:
    """Answers with the given readings, then with 20 ms for ever; each reading takes a second of its clock."""

    def __init__(self, *readings_ms: float) -> None:
        self.readings: Iterator[float] = iter(readings_ms)
        self.time_s = 0.0

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        assert command == "probe"
        self.time_s += 1.0
        return {"probe_ms": next(self.readings, 20.0)}

    def close(self) -> None:
        raise AssertionError("the gauge does not own its worker")


def gauge(machine: Machine) -> Gauge:
    return Gauge(machine, lambda: machine.time_s)


def test_the_best_is_what_the_quiet_machine_does_whatever_else_was_seen() -> None:
    assert gauge(Machine(20.0, 30.0, 20.2, 41.0, 20.1)).best_ms == pytest.approx(20.05)


def test_a_machine_that_was_slow_at_first_is_found_out_later() -> None:
    machine = Machine(*[30.0] * 5, 20.0)
    one = gauge(machine)
    assert one.best_ms == 30.0
    assert one.read() == pytest.approx(0.0)
    machine.readings = iter([30.0])
    assert one.read() == pytest.approx(0.5)


def test_waiting_ends_when_it_is_quiet_or_patience_is_out() -> None:
    machine = Machine(*[20.0] * 5, 26.0, 26.0, 20.0)
    one = gauge(machine)
    assert one.wait_until_quiet() == pytest.approx(0.0)
    assert machine.time_s == 8.0
    machine.readings = iter([26.0] * 100)
    assert one.wait_until_quiet() == pytest.approx(0.3)
    assert machine.time_s == 8.0 + 10.0
