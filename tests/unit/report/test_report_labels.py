"""How networks are named, the ones without sizes too, and how numbers are written."""

import math
import re
from pathlib import Path
from typing import Any

import pytest
import record_factory as make

from enhance_sweep.models import PlainGenerator, StridedGenerator
from enhance_sweep.models.description import describe
from enhance_sweep.report import labels
from enhance_sweep.report.figures.drawings import draw_architectures
from enhance_sweep.report.labels import network_label
from enhance_sweep.report.page.page import render
from tests.unit.models.made_up_topologies import Matrices, Shuffled

SHUFFLED = {"topology": "shuffled", "channels": 16, "blocks": 2, "kernel_size": 3}


@pytest.mark.parametrize(
    ("architecture", "label"),
    [
        (make.BASELINE, "{3, 64, 4}"),
        (make.PROPOSED, "{3-4, 16}"),
        (make.SRCNN, "SRCNN"),
        (SHUFFLED, "shuffled {3, 16, 2}"),
        (SHUFFLED | {"factor": 4}, "shuffled {3, 16, 2, factor 4}"),
        ({"topology": "unet", "depth": 3, "prelu": False}, "unet {depth 3}"),
        ({"topology": "fixed", "prelu": True}, "fixed PReLU"),
        (make.plain(3, 64, 4, prelu=True), "{3, 64, 4} PReLU"),
        (make.strided(3, 4, 16, blocks=3), "{3-4, 16, 3 blocks}"),
        (make.BASELINE | {"norm": "batch"}, "{3, 64, 4, norm batch}"),
        ({"topology": "unet", "channels": 8, "kernel_size": 3, "bias": True}, "unet {channels 8, kernel size 3, bias}"),
    ],
)
def test_a_network_is_named_as_the_paper_does_or_by_its_topology(architecture: dict[str, Any], label: str) -> None:
    assert network_label(architecture) == label


def test_srcnn_is_named_as_its_makers_did_wherever_a_report_names_it(tmp_path: Path) -> None:
    files = render(make.results_of(tmp_path, *make.paper_records()[:12], *make.measured((make.SRCNN, 0.89, 1600.0))))
    for name in ("report.md", "index.html", "variants.csv", "figure2.svg", "speed.svg", "quality.svg"):
        assert "SRCNN" in files[name].decode()
        assert not re.search("srcnn {|>srcnn<", files[name].decode())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (labels.significant(12345.6), "12,346"),
        (labels.significant(0.012345), "0.0123"),
        (labels.significant(0.0), "0"),
        (labels.significant_ms(99.96), "100.0"),
        (labels.significant_ms(1234.5), "1,234"),
        (labels.signed(-0.00001, 4), "0.0000"),
        (labels.signed(-1.5, 2), "\N{MINUS SIGN}1.50"),
        (labels.signed(1234.5, 1), "+1,234.5"),
        (labels.signed_interval(-0.001, 0.002), "\N{MINUS SIGN}0.0010 to +0.0020"),
        (labels.speed_up_text(6.3135), f"6.31{labels.TIMES}"),
        (labels.speed_up_text(12.34), f"12.3{labels.TIMES}"),
        (labels.spreadsheet_letters(0), "A"),
        (labels.spreadsheet_letters(27), "AB"),
        (labels.plural(1, "network"), "1 network"),
        (labels.plural(1200, "network"), "1,200 networks"),
        (labels.thousands(1200.0), "1,200"),
    ],
)
def test_numbers_as_a_reader_wants_them(text: str, expected: str) -> None:
    assert text == expected


def test_what_is_no_number_is_not_shown_as_one() -> None:
    numbers = [labels.is_number(value) for value in (1, 1.5, math.nan, math.inf, None, "1", True)]
    assert numbers == [True, True] + [False] * 5


def test_another_topology_has_rows_points_and_a_drawing_of_its_own(tmp_path: Path) -> None:
    described = {"description": describe(Shuffled(16, 2, 3))}
    made = [record | described for record in make.measured((SHUFFLED, 0.89, 1600.0))]
    files = render(make.results_of(tmp_path, *make.paper_records()[:12], *made))
    for name in ("report.md", "index.html", "variants.csv", "figure2.svg", "quality.svg", "architecture_1.svg"):
        assert "shuffled" in files[name].decode(), name
    assert "![shuffled {3, 16, 2}, drawn from the layers in its record." in files["report.md"].decode()
    assert "architecture_1.png" in files


def test_the_best_network_of_every_topology_is_drawn_once(tmp_path: Path) -> None:
    """Beside the baseline and the paper's pick, which are the paper's own figures."""
    networks = {
        "shuffled": (Shuffled, {"topology": "shuffled", "channels": 8}),
        "matrices": (Matrices, {"topology": "matrices", "terms": 2}),
        "plain": (PlainGenerator, make.BASELINE),
        "strided": (StridedGenerator, make.PROPOSED),
        "better": (lambda: PlainGenerator(3, 16, 2), make.plain(3, 16, 2)),
        "worse": (lambda: PlainGenerator(3, 16, 1), make.plain(3, 16, 1)),
    }
    scores = {"shuffled": 0.92, "matrices": 0.91, "plain": 0.90, "strided": 0.91, "better": 0.93, "worse": 0.89}
    records = [
        record | {"description": describe(made())}
        for name, (made, architecture) in networks.items()
        for record in make.measured((architecture, scores[name], 1000.0))
    ]
    files: dict[str, bytes] = {}
    drawings = draw_architectures(make.results_of(tmp_path, *records), files)
    captions = {drawing.name: drawing.caption.partition(", drawn from")[0] for drawing in drawings}
    assert captions == {
        "figure1": "Figure 1: {3, 64, 4}",
        "figure3": "Figure 3: {3-4, 16}",
        "architecture_1": "matrices {terms 2}",
        "architecture_2": "shuffled {channels 8}",
        "architecture_3": "{3, 16, 2}, of 3 plain networks the one with the best MS-SSIM",
    }
    assert {f"{name}.{end}" for name in captions for end in ("png", "svg")} == set(files)
