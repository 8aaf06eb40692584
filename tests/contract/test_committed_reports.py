"""Reports in the repository are what the records beside them make."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from enhance_sweep.records import load_records
from enhance_sweep.report import gather
from enhance_sweep.report.page.page import PAGE, render

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(path.parent for path in (ROOT / "reports").glob("*/records"))


@pytest.mark.skipif(not FOLDERS, reason="not a checkout: the reports are not installed")
def test_the_readmes_report_has_its_records() -> None:
    assert len(load_records(ROOT / "reports" / "photos" / "records")) == 12


def committed(folder: Path) -> dict[str, str]:
    """The report's text files as committed: `make sweep` writes its own report into the same folder."""
    place = folder.relative_to(ROOT).as_posix()

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"not a git checkout with {place}")
        return done.stdout

    names = git("ls-tree", "--name-only", "HEAD", f"{place}/").split()
    names = [name for name in names if name.endswith((".csv", "report.md"))]
    return {name.rpartition("/")[2]: git("show", f"HEAD:{name}") for name in names}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_committed_report_follows_from_its_records(
    folder: Path, monkeypatch: pytest.MonkeyPatch, assert_same_table: Callable[[str, str], None]
) -> None:
    monkeypatch.chdir(ROOT)  # a report names its folder of runs
    expected = committed(folder)
    made = render(gather((folder / "records").relative_to(ROOT)), pictures=False)
    assert set(expected) == set(made) - {PAGE}
    for name, text in expected.items():
        if name.endswith(".csv"):
            assert_same_table(made[name].decode(), text)
        else:
            assert without_pictures(made[name].decode()) == without_pictures(text)


def without_pictures(markdown: str) -> list[str]:
    """Its lines without figures and without the sections that only pictures have."""
    lines, skipped = [], False
    for line in markdown.splitlines():
        if line.startswith("## "):
            skipped = line in ("## Photographs", "## Architectures")
        if line and not skipped and not line.startswith("!["):
            lines.append(line)
    return lines
