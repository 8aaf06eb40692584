"""How networks are named, the ones without sizes too."""

from pathlib import Path
from typing import Any

import pytest
import record_factory as make

from enhance_sweep.report import gather
from enhance_sweep.report.labels import network_label
from enhance_sweep.report.page.page import render


@pytest.mark.parametrize(
    ("architecture", "label"),
    [
        (make.BASELINE, "{3, 64, 4}"),
        (make.PROPOSED, "{3-4, 16}"),
        (make.SRCNN, "SRCNN"),
        ({"topology": "unet", "depth": 3, "prelu": False}, "unet {depth 3}"),
        ({"topology": "fixed", "prelu": True}, "fixed PReLU"),
    ],
)
def test_a_network_without_sizes_goes_by_its_topologys_name(architecture: dict[str, Any], label: str) -> None:
    assert network_label(architecture) == label


def test_srcnn_is_named_as_its_makers_did_wherever_a_report_names_it(tmp_path: Path) -> None:
    made = [*make.paper_records(), make.trained(make.SRCNN, 0.89, 21.3), make.timed(make.SRCNN, 1600.0)]
    files = render(gather(make.write(tmp_path, made)))
    for name in ("report.md", "index.html", "variants.csv"):
        text = files[name].decode()
        assert "SRCNN" in text
        assert "srcnn {" not in text
    for name in ("figure2.svg", "speed.svg", "quality.svg"):
        assert "SRCNN" in files[name].decode()
        assert ">srcnn<" not in files[name].decode()
