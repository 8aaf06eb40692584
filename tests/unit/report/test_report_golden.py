"""The whole report of three made-up folders of runs, as text: `pytest --regenerate` writes the expected files anew."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import record_factory as make

from enhance_sweep.report import gather
from enhance_sweep.report.page.page import PAGE, render

GOLDEN = Path(__file__).parents[2] / "golden" / "report"


def partial() -> Iterator[dict[str, Any]]:
    """What goes wrong: failed, unfinished, undefined, untimed, timed elsewhere, trained and timed in several ways."""
    yield make.trained(make.plain(3, 16, 1), 0.85, 17.0)
    yield make.failed(make.plain(3, 16, 2), "the loss is NaN at step 7")
    yield make.running(make.plain(3, 16, 3))
    yield make.trained(make.plain(3, 16, 4), None, None)
    yield make.timed(make.plain(3, 32, 2), 500.0)
    yield make.timed(make.plain(3, 32, 4), None, status="failed", reason="killed", peak_rss_mib=None)
    yield make.trained(make.BASELINE, 0.92)
    yield make.timed(make.BASELINE, 900.0, flags=["warm-up ended before calls agreed"])
    yield make.trained(make.PROPOSED, 0.90, steps=75)
    yield make.trained(make.PROPOSED, 0.93, steps=1200, untouched=None)
    yield make.timed(make.PROPOSED, 300.0, measurement={"host": "laptop"})
    yield make.trained({"topology": "unet", "depth": 3, "prelu": False}, 0.91, train_wall_s=None)


WORLDS = {
    "whole": (make.whole_records, make.SPREAD),
    "partial": (partial, None),
    "panel": (make.panel_records, make.SPREAD),
}


@pytest.mark.parametrize("name", WORLDS)
def test_the_report_is_the_expected_one(
    name: str, tmp_path: Path, monkeypatch: Any, request: Any, assert_same_table: Callable[[str, str], None]
) -> None:
    monkeypatch.chdir(tmp_path)  # the report names the folder of runs
    world, spread = WORLDS[name]
    made = render(gather(make.write(Path("runs"), list(world()), spread)), pictures=False)
    files = {file: data.decode() for file, data in made.items() if file != PAGE}
    folder = GOLDEN / name
    if request.config.getoption("--regenerate"):
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
    assert {path.name for path in folder.iterdir()} == set(files)
    for file, text in files.items():
        expected = (folder / file).read_text(encoding="utf-8")
        if file.endswith(".csv"):
            assert_same_table(text, expected)
        else:
            assert text.splitlines() == expected.splitlines()
