"""The whole report of two made-up folders of runs, as text: `pytest --regenerate` writes the expected files anew."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import record_factory as make

from enhance_sweep.report import gather
from enhance_sweep.report.page.page import PAGE, render

GOLDEN = Path(__file__).parents[2] / "golden" / "report"


def whole() -> Iterator[dict[str, Any]]:
    """Everything a report may show: the paper's networks and others, seeds, exports, runtimes, the challenge."""
    made = make.paper_records(careful=True)
    yield from made
    yield make.trained(make.PROPOSED, 0.9241, 22.4, seed=1)
    yield make.trained(make.BASELINE, 0.9229, 22.7, seed=1)
    for architecture, score, latency_ms in ((make.plain(3, 24, 2), 0.9171, 2300.0), (make.plain(3, 8, 1), 0.85, 800.0)):
        yield make.trained(architecture, score, 17.0)
        yield make.timed(architecture, latency_ms)
    fast = {"runtime": "openvino", "precision": "bf16"}
    yield make.paired(make.PROPOSED, 400.0, 2500.0, measurement=fast, flags=["2 of 5 rounds were disturbed"])
    yield make.timed(
        make.PROPOSED, None, measurement={"precision": "int8"}, status="failed", reason="no int8", peak_rss_mib=None
    )
    yield make.exported(made[0], "onnx", "int8", 1.5, -0.002)
    yield make.exported(made[0], "litert", "fp32", None, 0.0, check=None)
    yield make.challenge(make.SRCNN, 2.1)
    yield make.challenge(make.PROPOSED, 0.8)
    yield make.challenge(make.BASELINE, 10.0, measurement={"threads": 1})
    yield make.challenge(make.plain(3, 48, 2), 1.6, measurement={"allocator": "tuned"})


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


@pytest.mark.parametrize("world", [whole, partial], ids=lambda world: world.__name__)
def test_the_report_is_the_expected_one(
    world: Callable[[], Iterator[dict[str, Any]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    assert_same_table: Callable[[str, str], None],
) -> None:
    monkeypatch.chdir(tmp_path)  # the report names the folder of runs
    runs = make.write(Path("runs"), list(world()), make.SPREAD if world is whole else None)
    files = {name: data.decode() for name, data in render(gather(runs), pictures=False).items() if name != PAGE}
    folder = GOLDEN / world.__name__
    if request.config.getoption("--regenerate"):
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    assert {path.name for path in folder.iterdir()} == set(files)
    for name, text in files.items():
        expected = (folder / name).read_text(encoding="utf-8")
        if name.endswith(".csv"):
            assert_same_table(text, expected)
        else:
            assert text.splitlines() == expected.splitlines()
