"""Times and durations as people and records have them."""

from datetime import UTC, datetime, timedelta

import pytest

from enhance_sweep.system.clock import duration, now


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (45, "45 s"),
        (59.6, "1 min 00 s"),
        (250, "4 min 10 s"),
        (3 * 3600 + 300, "3 h 05 min"),
        (4e6, "1,111 h 06 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_now_is_a_time_with_its_zone() -> None:
    assert abs(datetime.now(UTC) - datetime.fromisoformat(now())) < timedelta(minutes=1)
