"""Reports in the repository are what the records beside them make."""

import subprocess
from pathlib import Path

import pytest

from enhance_sweep.records import load_records
from enhance_sweep.report import gather, write_report

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(path.parent for path in (ROOT / "reports").glob("*/records"))


@pytest.mark.skipif(not FOLDERS, reason="not a checkout: the reports are not installed")
def test_the_readmes_report_has_its_records() -> None:
    assert len(load_records(ROOT / "reports" / "photos" / "records")) == 12


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_committed_tables_follow_from_the_records(folder: Path, tmp_path: Path) -> None:
    """As committed: `make sweep` writes its own report into the same folder, and must not break this."""
    write_report(gather(folder / "records"), tmp_path / "again", pictures=False)
    for table in ("table1.csv", "table2.csv", "variants.csv"):
        name = f"HEAD:{(folder / table).relative_to(ROOT).as_posix()}"
        committed = subprocess.run(["git", "-C", str(ROOT), "show", name], capture_output=True, text=True, check=False)
        if committed.returncode:
            pytest.skip(f"not a git checkout with {name}")
        assert (tmp_path / "again" / table).read_text() == committed.stdout, table
