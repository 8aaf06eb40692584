"""How long a sweep will take."""

import pytest

from enhance_sweep.sweep.forecast import remaining_s
from enhance_sweep.sweep.work import Work


def work(macs: float) -> Work:
    return Work(steps=0, pixels=0.0, macs=macs)


def test_after_a_variant_the_rest_is_in_proportion() -> None:
    behind = [(work(1e12), 12.0 + 40.0)]
    assert remaining_s([work(2e12), work(3e12)], behind) == pytest.approx(2 * 12 + 5 * 40, rel=1e-6)


def test_before_any_variant_it_is_a_guess_that_grows_with_the_work() -> None:
    assert 0 < remaining_s([work(1e12)], []) < remaining_s([work(1e12), work(1e13)], [])
    assert remaining_s([], []) == 0
    assert remaining_s([Work()], []) == 0


#: What a step of 10 patches computes, and the seconds that it took one core of an AMD EPYC (fp32).
MEASURED = {
    "plain 3/16/2, fidelity, 40x40": (Work(1, 16e3, 1.03e9), 0.047),
    "plain 3/16/2, fidelity, 100x100": (Work(1, 100e3, 6.46e9), 0.304),
    "plain 3/64/4, fidelity, 40x40": (Work(1, 16e3, 19.2e9), 0.464),
    "strided 3-4/16, fidelity, 100x100": (Work(1, 100e3, 8.95e9), 0.340),
    "strided 3-4/16, paper with EfficientNet-Lite0, 100x100": (Work(1, 100e3, 20.3e9), 0.614),
    "strided 3-4/16, paper with VGG-19, 100x100": (Work(1, 100e3, 131.6e9), 3.029),
}


@pytest.mark.parametrize("known", MEASURED)
def test_any_training_foretells_any_other_within_a_factor_of_one_and_a_half(known: str) -> None:
    done, took_s = MEASURED[known]
    for other, (due, took) in MEASURED.items():
        steps = 100_000  # so that what a training takes beside its steps is of no account
        forecast_s = remaining_s([times(due, steps)], [(times(done, steps), steps * took_s)]) / steps
        assert 1 / 1.5 < forecast_s / took < 1.5, other


def times(work: Work, steps: int) -> Work:
    return Work(steps * work.steps, steps * work.pixels, steps * work.macs)
