"""The protocol of scores: what is clipped, what is left out of a mean."""

import math
from typing import Any

import numpy as np
import pytest
from torch import Tensor, nn

from enhance_sweep.data.pairs import Part, Split
from enhance_sweep.measures import MEASURES
from enhance_sweep.training.evaluation import Scores, score

NONE_TOO_SMALL: dict[str, Any] = {"too_small_for": []}


def both(psnr_db: list[float], ms_ssim: list[float], **others: list[float]) -> Scores:
    values = {"psnr_db": psnr_db, "ms_ssim": ms_ssim, **others}
    return Scores({name: np.array(of_images) for name, of_images in values.items()})


class Shift(nn.Module):
    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, input: Tensor) -> Tensor:
        return input + self.by


@pytest.mark.parametrize(("by", "low", "high", "target"), [(0.5, 140, 256, 255), (-0.5, 0, 116, 0)])
def test_psnr_is_of_clipped_outputs_and_ms_ssim_of_whole_ones(by: float, low: int, high: int, target: int) -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(low, high, (1, 16, 16, 3), dtype=np.uint8)  # shifted, all is beyond white, or black
    scores = score(Shift(by), Split(pixels, np.full_like(pixels, target), ["one"]))
    assert scores.values["psnr_db"].tolist() == [math.inf]
    assert not scores.values["ms_ssim"][0] > 0.9, "clipped, it would equal its target"


def test_identical_pairs_are_left_out_of_the_mean_and_counted() -> None:
    means = both([20.0, np.inf, 40.0], [0.8, 1.0, 0.6]).means()
    assert means == {
        "psnr_db": 30.0,
        "ms_ssim": pytest.approx(0.8),
        "images": 3,
        "identical_pairs": 1,
        **NONE_TOO_SMALL,
    }
    assert math.isnan(both([np.inf], [1.0]).means()["psnr_db"])


def test_chroma_is_pooled_over_images() -> None:
    scores = both([20.0, 20.0], [0.9, 0.9], chroma=[0.3, 0.4], target_chroma=[0.0, 0.5])
    means = scores.means()
    assert means["chroma"] == pytest.approx(math.sqrt((0.09 + 0.16) / 2))
    assert means["target_chroma"] == pytest.approx(math.sqrt(0.25 / 2))


def test_all_measures_are_scored_and_those_that_need_larger_images_are_named() -> None:
    random = np.random.default_rng(0)
    for side in (24, 8):
        pixels = random.integers(0, 256, (2, side, side, 3), dtype=np.uint8)
        scores = score(Shift(0.1), Split(pixels, pixels, ["one", "two"]))
        too_small = [name for name, measure in MEASURES.items() if measure.smallest_side > side]
        assert (side == 24) == (not too_small)
        assert list(scores.too_small_for) == scores.means()["too_small_for"] == too_small
        assert set(scores.values) == {*MEASURES, "chroma", "target_chroma"} - set(too_small)
        assert all(values.shape == (2,) and np.isfinite(values).all() for values in scores.values.values())


def test_a_score_of_some_measures_has_no_others() -> None:
    pixels = np.zeros((1, 24, 24, 3), np.uint8)
    assert set(score(Shift(0.1), Split(pixels, pixels, ["one"]), measures=("psnr_db", "mdsi")).values) == {
        "psnr_db",
        "mdsi",
    }


def test_each_data_set_of_a_mix_has_its_own_scores() -> None:
    pixels = np.zeros((5, 8, 8, 3), np.uint8)
    scores = both([20.0, 30.0, 40.0, np.inf, 10.0], [0.5, 0.6, 0.7, 1.0, 0.9])
    split = Split(pixels, pixels, list("abcde"), (Part("city", 2, 0.5), Part("dped", 3, 0.5)))
    means = {name: of_part.means() for name, of_part in scores.by_part(split).items()}
    assert means == {
        "city": {"psnr_db": 25.0, "ms_ssim": pytest.approx(0.55), "images": 2, "identical_pairs": 0, **NONE_TOO_SMALL},
        "dped": {
            "psnr_db": 25.0,
            "ms_ssim": pytest.approx(2.6 / 3),
            "images": 3,
            "identical_pairs": 1,
            **NONE_TOO_SMALL,
        },
    }
    assert not scores.by_part(Split(pixels, pixels, list("abcde")))
