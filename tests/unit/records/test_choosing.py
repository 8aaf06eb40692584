"""Which variant `--run` means."""

from pathlib import Path

import pytest

from enhance_sweep.records.choosing import choose_run
from tests.unit.report import record_factory as make


def test_a_variant_goes_by_the_first_parts_of_its_key(tmp_path: Path) -> None:
    small, large = make.trained(make.plain(3, 16, 1), 0.9, 21.0), make.trained(make.plain(3, 16, 12), 0.91, 21.5)
    make.write(tmp_path, [small, large])
    for run in ("plain-k3-c16-b1", small["key"]):
        assert choose_run(tmp_path, run, None).name == small["key"]
    with pytest.raises(ValueError, match=f"several .* 'plain-k3-c16' .*{small['key']}, {large['key']}"):
        choose_run(tmp_path, "plain-k3-c16", None)
    with pytest.raises(ValueError, match="no completed variant 'plain-k3-c1' "):
        choose_run(tmp_path, "plain-k3-c1", None)


def test_the_best_may_be_that_by_a_measure_of_which_less_is_better(tmp_path: Path) -> None:
    networks = [make.trained(make.plain(3, 16, blocks), 0.9 + 0.01 * blocks) for blocks in (1, 2, 3)]
    for network, mdsi in zip(networks, (0.4, 0.3, 0.5), strict=True):
        network["scores"] |= {"mdsi": mdsi}
    make.write(tmp_path, networks)
    assert choose_run(tmp_path, "best", None).name == networks[2]["key"]
    assert choose_run(tmp_path, "best", None, quality="mdsi").name == networks[1]["key"]
    with pytest.raises(ValueError, match=r"--quality vsi: no network in .* stages=\[evaluate\]"):
        choose_run(tmp_path, "best", None, quality="vsi")


@pytest.mark.parametrize(("validated", "best"), [((0.88, 0.87), 0), ((0.88, None), 1)])
def test_the_best_is_that_on_the_validation_pairs_where_all_have_scores_there(
    validated: tuple[float, float | None], best: int, tmp_path: Path
) -> None:
    networks = [make.trained(make.plain(3, 16, 1), 0.9), make.trained(make.plain(3, 16, 12), 0.91)]
    for network, ms_ssim in zip(networks, validated, strict=True):
        if ms_ssim is not None:
            network["quality"] = [{"step": network["steps"], "psnr_db": 21.0, "ms_ssim": ms_ssim}]
            network["quality_on"] = "validation"
    make.write(tmp_path, networks)
    assert choose_run(tmp_path, "best", None).name == networks[best]["key"]


def test_the_best_keeps_its_color_unless_none_does(tmp_path: Path) -> None:
    networks = [make.trained(make.plain(3, 16, blocks), 0.9 + 0.01 * blocks) for blocks in (1, 2)]
    for network, chroma in zip(networks, (0.045, 0.02), strict=True):
        network["scores"] |= {"chroma": chroma, "target_chroma": 0.05}
    make.write(tmp_path, networks)
    assert choose_run(tmp_path, "best", None).name == networks[0]["key"]
    networks[0]["scores"]["chroma"] = 0.07
    make.write(tmp_path, networks)
    assert choose_run(tmp_path, "best", None).name == networks[1]["key"]
