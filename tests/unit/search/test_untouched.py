"""What a search takes as the untouched input's quality."""

from types import SimpleNamespace
from typing import Any

import pytest

from enhance_sweep.records.schema import LearnedFrom, Quality
from enhance_sweep.search.jobs import JobEvaluator


def started(quality: float, start: str = "identity") -> Any:
    record = SimpleNamespace(
        learned_from=LearnedFrom(start=start), quality=[Quality(step=0, ms_ssim=quality, mdsi=1 - quality)]
    )
    return SimpleNamespace(trained_record=lambda: record)


@pytest.mark.parametrize(("measure", "wanted"), [("ms_ssim", 0.87), ("mdsi", 0.13)])
def test_it_is_that_of_the_start_closest_to_the_identity(measure: str, wanted: float) -> None:
    jobs: Any = object.__new__(JobEvaluator)
    jobs._spec = SimpleNamespace(settings=SimpleNamespace(quality=measure))
    jobs._plans = dict(enumerate([started(0.8), started(0.87), started(0.86), started(0.99, "dped_code")]))
    assert jobs.untouched() == pytest.approx(wanted)
    jobs._plans = {0: started(0.9, "dped_code"), 1: SimpleNamespace(trained_record=lambda: None)}
    assert jobs.untouched() is None
