"""Reports in the repository are what the records beside them make."""

from pathlib import Path

import pytest

from enhance_sweep.records import load_records
from enhance_sweep.report import gather, write_report

REPORTS = Path(__file__).parents[2] / "reports"
FOLDERS = sorted(path.parent for path in REPORTS.glob("*/records"))


@pytest.mark.skipif(not REPORTS.is_dir(), reason="not a checkout: the reports are not installed")
def test_the_readmes_report_is_there() -> None:
    assert REPORTS / "photos" in FOLDERS
    assert len(load_records(REPORTS / "photos" / "records")) == 12


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_tables_follow_from_the_records(folder: Path, tmp_path: Path) -> None:
    write_report(gather(folder / "records", None, None), tmp_path / "again")
    for table in sorted(folder.glob("*.csv")):
        assert (tmp_path / "again" / table.name).read_text() == table.read_text(), table.name
