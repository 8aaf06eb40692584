"""The frontier notebook runs from committed records and says what they hold."""

import base64
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from enhance_sweep import notebook as show
from enhance_sweep import what_if
from enhance_sweep.records import load_records

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "notebooks" / "frontier.ipynb"
EXECUTE = ROOT / "notebooks" / "execute.py"
MEASUREMENT = {"runtime": "eager", "precision": "fp32", "allocator": "tuned", "layout": "channels_last"}

pytestmark = pytest.mark.skipif(not NOTEBOOK.exists(), reason="not a checkout: the notebook is not installed")


def executed(place: Path, *reports: str) -> nbformat.NotebookNode:
    """The notebook, run as a person does in a checkout that holds just these reports."""
    (place / "notebooks").mkdir()
    shutil.copy(NOTEBOOK, place / "notebooks")
    for report in reports:
        shutil.copytree(ROOT / "reports" / report / "records", place / "reports" / report / "records")
    notebook = place / "notebooks" / NOTEBOOK.name
    command = [sys.executable, str(EXECUTE), str(notebook)]
    subprocess.run(command, check=True, timeout=300, stdout=subprocess.DEVNULL)
    return nbformat.read(notebook, as_version=4)


def texts(notebook: nbformat.NotebookNode) -> list[str]:
    """What every code cell says in words, its last output's plain text, or what it printed."""
    said = []
    for cell in notebook.cells:
        outputs = cell.get("outputs", [])
        said += ["".join(o["text"] if "text" in o else o["data"].get("text/plain", "") for o in outputs)]
    return [text for text in said if text]


def answer_to(notebook: nbformat.NotebookNode, asked: str) -> str:
    (cell,) = [cell for cell in notebook.cells if cell.cell_type == "code" and asked in cell.source]
    return "".join(output["data"]["text/plain"] for output in cell.outputs)


def pictures(notebook: nbformat.NotebookNode) -> list[bytes]:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [base64.b64decode(o["data"]["image/png"]) for o in outputs if "image/png" in o.get("data", {})]


def test_trained_and_timed_records_answer_every_question(tmp_path: Path) -> None:
    notebook = executed(tmp_path, "photos")
    records = load_records(ROOT / "reports" / "photos" / "records", MEASUREMENT)
    best = what_if.best_within(records, max_latency_ms=500)
    assert len(best) == 1
    answer = answer_to(notebook, "best_within(")
    assert show.networks_table(best).index[0] in answer
    assert f"{best['ms_ssim'].iloc[0]:.4f}" in answer
    # Neither PReLU nor another topology is in these records, and the notebook does not pretend.
    assert "nothing to compare: no network is there with and without PReLU" in answer_to(notebook, '"prelu"')
    assert "not compared: plain in all networks" in answer_to(notebook, "effects_table(")
    shares = what_if.shares_of_variance(records).set_index("axis")["share"]
    assert re.search(rf"blocks\b.* {shares['blocks']:.0%}", answer_to(notebook, "shares_table("))
    assert len(pictures(notebook)) == 3
    written = sorted(path.name for path in (tmp_path / "notebooks" / "frontier").iterdir())
    tables = [f"{name}.{suffix}" for name in ("frontier", "networks") for suffix in ("csv", "md", "tex")]
    assert written == ["effects.csv", *tables]


def test_records_without_scores_answer_what_they_can(tmp_path: Path) -> None:
    notebook = executed(tmp_path, "timing")
    assert "no scored network stays under 500 ms" in answer_to(notebook, "best_within(")
    assert "No network has a score" in answer_to(notebook, "frontier_figure(")
    assert "PReLU without → with" in answer_to(notebook, '"prelu"')
    assert "not scored" in answer_to(notebook, '"prelu"')
    assert "topology plain → strided" in answer_to(notebook, "effects_table(")
    assert len(pictures(notebook)) == 2


def test_the_committed_outputs_are_what_the_committed_records_say(tmp_path: Path) -> None:
    committed = nbformat.read(NOTEBOOK, as_version=4)
    reports = sorted(path.parent.name for path in (ROOT / "reports").glob("*/records"))
    again = executed(tmp_path, *reports)
    assert texts(committed) == texts(again), "run `python notebooks/execute.py` and commit what it writes"
    assert [cell.source for cell in committed.cells] == [cell.source for cell in again.cells]


def test_the_committed_notebook_is_small_and_holds_nothing_that_only_changes() -> None:
    committed = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(committed)
    assert sum(map(len, pictures(committed))) < 300_000
    assert pictures(committed)
    assert all(cell.metadata == {} for cell in committed.cells)
    assert set(committed.metadata) == {"kernelspec"}
    counts = [cell.execution_count for cell in committed.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


def test_the_notebook_holds_no_logic() -> None:
    """It calls the package: no function, no loop, no condition of its own."""
    committed = nbformat.read(NOTEBOOK, as_version=4)
    source = "\n".join(cell.source for cell in committed.cells if cell.cell_type == "code")
    assert not re.search(r"^\s*(def|class|for|while|if|with|try)\b|\blambda\b", source, flags=re.MULTILINE)
