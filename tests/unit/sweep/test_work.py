"""What a training computes, against counts by hand; `test_profile` has those of a real step."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from enhance_sweep.config import compose_settings
from enhance_sweep.losses import VGG19Features
from enhance_sweep.records.schema import Description, LearnedFrom
from enhance_sweep.sweep.work import LossWork, Work, loss_work, work_of_record

#: VGG-19's convolutions up to relu5_4: channels, and how often the side is halved before (Simonyan & Zisserman 2015).
VGG19 = [(3, 64, 0), (64, 64, 0), (64, 128, 1), (128, 128, 1), (128, 256, 2), *[(256, 256, 2)] * 3]
VGG19 += [(256, 512, 3), *[(512, 512, 3)] * 3, *[(512, 512, 4)] * 4]
#: The discriminator's convolutions: channels, kernel, and the output's side for a 100x100 patch (Ignatov et al. 2017).
DISCRIMINATOR = [(1, 48, 11, 25), (48, 128, 5, 13), (128, 192, 3, 13), (192, 192, 3, 13), (192, 128, 3, 7)]
LINEAR = 128 * 7 * 7 * 1024 + 1024 * 2

PAPER = compose_settings(["recipe=paper"]).loss


def layers() -> tuple[int, int, int]:
    """Multiply-adds of a 100x100 patch's way through VGG-19, through the discriminator, and through its first layer."""
    content = sum(9 * inputs * outputs * (100 // 2**halved) ** 2 for inputs, outputs, halved in VGG19)
    convolutions = [inputs * outputs * kernel**2 * side**2 for inputs, outputs, kernel, side in DISCRIMINATOR]
    return content, sum(convolutions) + LINEAR, convolutions[0]


def test_the_papers_loss_is_three_passes_of_vgg19_and_five_of_the_discriminator_and_needs_no_weights() -> None:
    content, discriminator, first = layers()
    # The generator's pass goes back to the input; the discriminator's own to all weights, but to no patch.
    wanted = 3 * content + 2 * discriminator + 3 * discriminator - first
    assert loss_work(PAPER, 100) == LossWork(wanted, more_passes=1)


def test_one_pass_for_both_players_is_cheaper_by_two_and_enhances_no_batch_of_the_discriminators_own() -> None:
    content, discriminator, _ = layers()
    assert loss_work({**PAPER, "simultaneous": True}, 100) == LossWork(3 * content + 3 * discriminator, more_passes=0)


def test_a_loss_without_networks_costs_none() -> None:
    assert loss_work(compose_settings(["loss=fidelity"]).loss, 40) == LossWork(0, 0)


class NeedsNumbers(nn.Module):
    """Features that look at their values, which there are none of on the meta device."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images * float(images.max())


def with_content(target: str) -> dict[str, Any]:
    terms = {"content": {**PAPER["terms"]["content"], "features": {"_target_": target}}}
    return {**PAPER, "terms": terms}


def test_what_cannot_be_counted_is_told_from_what_costs_nothing() -> None:
    assert loss_work(with_content(f"{__name__}.NeedsNumbers"), 100) is None
    assert loss_work(PAPER, 8) is None, "too small for the content network"


def record(**changes: Any) -> Any:
    description = Description(parameters=1, macs=1000, height=10, width=10)
    learned = LearnedFrom({"loss_terms": PAPER, "batch_size": 4, "crop_size": 100, **changes})
    return SimpleNamespace(description=description, learned_from=learned, steps=5, micro_batches=None)


def test_a_records_work_is_that_of_all_networks_in_all_its_steps() -> None:
    loss = loss_work(PAPER, 100)
    assert loss is not None
    patches = 5 * 4
    assert work_of_record(record()) == Work(5, patches * 1e4, patches * (1e4 * 10 * 4 + loss.macs))
    in_parts = record()
    in_parts.micro_batches = 2
    more = work_of_record(in_parts)
    assert more is not None
    assert more.macs == patches * (1e4 * 10 * 5 + loss.macs), "a second forward pass of the generator"
    assert work_of_record(record(loss_terms=None)) is None


def test_a_record_makes_nothing_run_that_the_presets_do_not_name(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    monkeypatch.setattr(f"{__name__}.NeedsNumbers.__init__", lambda self: ran.append("built"))
    assert work_of_record(record(loss_terms=with_content(f"{__name__}.NeedsNumbers"))) is None
    assert work_of_record(record(loss_terms={"terms": {"content": {"_target_": ["os.system"], "x": "true"}}})) is None
    assert work_of_record(record(loss_terms={"_target_": f"{__name__}.Absent", "terms": {}})) is None
    assert ran == []
    assert f"{__name__}.Absent" not in sys.modules


def test_thousands_of_records_count_a_loss_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loss_work(PAPER, 100)
    monkeypatch.setattr("enhance_sweep.sweep.work._macs", lambda *_: pytest.fail("counted again"))
    loss_work(PAPER, 100)
    assert all(work_of_record(record(seed=seed)) for seed in range(3000)) or pytest.fail("a record was left out")


def test_vgg19_has_its_shapes_without_weights_on_the_meta_device_alone() -> None:
    with torch.device("meta"):
        features = VGG19Features(weights_file="there is none")
        assert features(torch.empty(2, 3, 100, 100)).shape == (2, 512, 6, 6)
