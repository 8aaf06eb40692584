import pytest

from enhance_sweep.timing.conditions import Snapshot, between, snapshot


def at(busy_s: float, steal_s: float, idle_s: float, throttled: int | None = 0) -> Snapshot:
    return Snapshot(busy_s, steal_s, idle_s, throttled, 1)


@pytest.mark.parametrize(
    ("after", "own_s", "reason"),
    [
        (at(20.0, 0.0, 0.0), 20.0, None),
        (at(10.0, 0.0, 10.0), 9.5, None),
        (at(20.0, 0.0, 0.0), 15.0, "other work took 25%"),
        (at(19.0, 1.0, 0.0), 19.0, "the hypervisor took 5%"),
        (at(20.0, 0.0, 0.0, throttled=3), 20.0, "throttled 3 times"),
    ],
)
def test_what_disturbs_a_round(after: Snapshot, own_s: float, reason: str | None) -> None:
    disturbed_by = between(at(0.0, 0.0, 0.0), after, own_s).disturbed_by
    assert [text[: len(reason)] for text in disturbed_by] == [reason] if reason else disturbed_by == []


def test_a_rounding_of_the_kernels_ticks_is_no_disturbance() -> None:
    assert between(at(0.0, 0.0, 0.0), at(0.22, 0.0, 0.0), 0.2).disturbed_by == []


def test_a_counter_that_cannot_be_read_disturbs_nothing() -> None:
    assert between(at(0.0, 0.0, 0.0, None), at(1.0, 0.0, 0.0, 5), 1.0).throttled is None


def test_this_hosts_counters_move_forward() -> None:
    first, second = snapshot([]), snapshot([])
    assert second.busy_s + second.idle_s >= first.busy_s + first.idle_s > 0
    assert snapshot([0]).busy_s <= snapshot([]).busy_s
