"""The protocol of scores: what is clipped, what is left out of a mean."""

import math

import numpy as np
import pytest
from torch import Tensor, nn

from enhance_sweep.data.pairs import Part, Split
from enhance_sweep.training.evaluation import Scores, score


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
    assert scores.psnr_db.tolist() == [math.inf]
    assert not scores.ms_ssim[0] > 0.9, "clipped, it would equal its target"


def test_identical_pairs_are_left_out_of_the_mean_and_counted() -> None:
    means = Scores(np.array([20.0, np.inf, 40.0]), np.array([0.8, 1.0, 0.6])).means()
    assert means == {"psnr_db": 30.0, "ms_ssim": pytest.approx(0.8), "images": 3, "identical_pairs": 1}
    assert math.isnan(Scores(np.array([np.inf]), np.array([1.0])).means()["psnr_db"])


def test_each_data_set_of_a_mix_has_its_own_scores() -> None:
    pixels = np.zeros((5, 8, 8, 3), np.uint8)
    scores = Scores(np.array([20.0, 30.0, 40.0, np.inf, 10.0]), np.array([0.5, 0.6, 0.7, 1.0, 0.9]))
    split = Split(pixels, pixels, list("abcde"), (Part("city", 2, 0.5), Part("dped", 3, 0.5)))
    means = {name: of_part.means() for name, of_part in scores.by_part(split).items()}
    assert means == {
        "city": {"psnr_db": 25.0, "ms_ssim": pytest.approx(0.55), "images": 2, "identical_pairs": 0},
        "dped": {"psnr_db": 25.0, "ms_ssim": pytest.approx(2.6 / 3), "images": 3, "identical_pairs": 1},
    }
    assert not scores.by_part(Split(pixels, pixels, list("abcde")))
