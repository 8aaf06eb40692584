"""One version, wherever it is written down."""

import tomllib
from pathlib import Path

import pytest
import yaml

import enhance_sweep
from tests.commands import run

ROOT = Path(__file__).parents[2]


def test_all_places_agree() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        assert tomllib.load(file)["project"]["version"] == enhance_sweep.__version__
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == enhance_sweep.__version__
    assert citation["cff-version"] == "1.2.0"
    assert {"title", "message", "authors"} <= citation.keys()


@pytest.mark.parametrize(
    "command",
    [
        "enhance_sweep",
        *(f"enhance_sweep.{one}" for one in ("report", "status", "timing", "enhance", "export", "demo", "profile")),
    ],
)
def test_every_command_tells_it(command: str, tmp_path: Path) -> None:
    done = run(command, "--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"enhance_sweep {enhance_sweep.__version__}\n"), done.stderr
    assert list(tmp_path.iterdir()) == [], "and does nothing else"
