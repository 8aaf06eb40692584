"""What a dry run says of real plans."""

import pytest

from enhance_sweep.config import compose_settings
from enhance_sweep.sweep.forecast import show
from enhance_sweep.sweep.plan import plan_variant
from enhance_sweep.sweep.work import Work, loss_work, pixels_of, work_of


def test_a_plans_work_is_its_training_with_all_networks_its_curve_and_its_scoring(quick: list[str]) -> None:
    plan = plan_variant(compose_settings([*quick, "loss=paper"]))
    loss = loss_work(plan.settings.loss, 32)
    assert loss is not None
    assert plan.pairs is not None
    assert plan.pairs.validation is not None
    patches, trained = 6 * 2, 6 * 2 * 32 * 32
    scorings = 3  # at the start, after 3 steps and after 6
    scored = pixels_of(plan.pairs.test) + scorings * pixels_of(plan.pairs.validation)
    per_pixel = 2 * 3 * 2 * 81 + 4 * 9 * 2 * 2  # 9x9 at both ends; a block's and the tail's two convolutions
    macs = per_pixel * (4 * trained + scored) + loss.macs * patches
    assert work_of(plan) == Work(6, trained + scored, pytest.approx(macs))


def test_a_loss_that_cannot_be_counted_is_named(
    quick: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_variant(compose_settings(quick))
    show([plan])
    assert "cannot be counted" not in capsys.readouterr().out
    for room in ("work", "forecast"):
        monkeypatch.setattr(f"enhance_sweep.sweep.{room}.loss_work", lambda *_, **__: None)
    show([plan])
    assert "Loss fidelity: its networks cannot be counted without computing them" in capsys.readouterr().out
