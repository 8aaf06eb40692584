"""Several data sets from the command line to the record, the table and an export's photographs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from enhance_sweep.config import compose_settings
from enhance_sweep.data.pairs import DataError
from enhance_sweep.export import photographs as of_export
from enhance_sweep.export.formats import Sides
from enhance_sweep.records import load_records
from enhance_sweep.sweep.plan import plan_variant
from enhance_sweep.sweep.variant import run_variant


@pytest.fixture
def mixed(quick: list[str], photographs: Path, tmp_path: Path) -> list[str]:
    """Overrides for a quick run on photographs and on aligned pairs."""
    for side, light in (("input", 0.7), ("target", 1.0)):
        (tmp_path / "city" / side).mkdir(parents=True)
        for path in photographs.iterdir():
            with Image.open(path) as file:
                pixels = (np.asarray(file) * light).astype(np.uint8)[:100, 10:]
            Image.fromarray(pixels).save(tmp_path / "city" / side / path.name)
    return [
        *(one for one in quick if not one.startswith("data.")),
        *("data=mix", "~data.parts.dped", "~data.shares.dped"),
        *(f"data.parts.photos.root={photographs}", "data.parts.photos.patch_size=48", "data.parts.photos.shots=1"),
        *("+data@data.parts.city=pairs", f"data.parts.city.root={tmp_path / 'city'}", "+data.shares.city=1.5"),
        "data.parts.city.patch_size=48",
    ]


def test_a_mix_is_trained_scored_and_found_again(mixed: list[str], tmp_path: Path) -> None:
    settings = compose_settings([*mixed, "stages=[train,evaluate]", "pictures=true"])
    outcome = run_variant(settings)
    assert outcome["status"] == "completed", outcome["reason"]
    plan = plan_variant(settings)
    record = plan.trained_record()
    assert record is not None
    assert record.key.startswith("plain-k3-c2-b1-mix-city-photos-fidelity-s0-")
    assert record.learned_from["shares"] == {"city": 0.75, "photos": 0.25}
    assert record.data is not None
    assert {name: part["dataset"] for name, part in record.data["parts"].items()} == {
        "city": "pairs",
        "photos": "own-photos",
    }
    assert record.quality_on == "validation"
    assert record.pictures

    table = pd.read_csv(plan.folder / "scores.csv")
    assert set(record.scores_by_part) == {"city", "photos"}
    for name, scores in record.scores_by_part.items():
        rows = table[table["name"].str.startswith(f"{name}/")]
        assert scores.images == len(rows) > 0
        assert scores.ms_ssim == pytest.approx(rows["ms_ssim"].mean(), abs=1e-6)
        assert record.untouched_by_part[name].psnr_db == pytest.approx(rows["untouched_psnr_db"].mean(), abs=1e-5)
    assert record.scores is not None
    assert record.scores.images == len(table)
    assert record.scores.ms_ssim == pytest.approx(table["ms_ssim"].mean(), abs=1e-6)
    (row,) = load_records(tmp_path / "runs").to_dict("records")
    assert row["dataset"] == "mix-city-photos"
    assert row["ms_ssim_on_city"] == record.scores_by_part["city"].ms_ssim

    found = of_export.pairs_of(record, [])
    assert found is not None
    assert found.fingerprint == record.learned_from.data_fingerprint
    by_share = [min(part.pairs, round(64 * part.share)) for part in found.train.parts]
    assert len(of_export.calibration_patches(found, Sides())) == sum(by_share)
    assert of_export.test_photographs(found)[2][0].name.startswith("city/")


def test_parts_of_several_patch_sizes_say_what_to_do(mixed: list[str]) -> None:
    with pytest.raises(DataError, match=r"data\.parts\.city has patches of 40x40.*\.patch_size="):
        plan_variant(compose_settings([*mixed[:-1], "data.parts.city.patch_size=40"]))
