"""What other networks score on DPED's sample: the figures that the public code computed."""

from pathlib import Path

import numpy as np
import pytest
import record_factory as make

from enhance_sweep.report.results.references import references

SAMPLE = "682bf097303d8781436f08b3063f9a01"
GOLDEN = {
    "published {3, 64, 4}": "dped_resnet_64x4",
    "published {3, 32, 2}": "dped_resnet_32x2",
    "published SRCNN": "dped_srcnn",
}


def test_references_are_the_golden_scores(shared: Path, tmp_path: Path) -> None:
    golden = np.load(shared / "reference" / "golden" / "scores_test100.npz")
    found = references(make.results_of(tmp_path, make.trained(make.PROPOSED, fingerprint=SAMPLE)))
    by_name = {reference.name: reference for reference in found}
    assert len(found) == 5
    for name, prefix in GOLDEN.items():
        assert by_name[name].psnr_db == pytest.approx(golden[f"{prefix}__psnr"].mean(), abs=1e-3)
        assert by_name[name].ms_ssim == pytest.approx(golden[f"{prefix}__msssim"].mean(), abs=1e-4)


def test_data_that_nobody_else_has_scored_has_none(tmp_path: Path) -> None:
    assert references(make.results_of(tmp_path, make.trained(make.PROPOSED))) == []
