"""Records as a report of thousands reads them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from enhance_sweep.records.store import read_record, timed_records, trained_records, whole, write_trained
from tests.unit.report import record_factory as make

REPORTS = Path(__file__).parents[3] / "reports"
FOLDERS = sorted(path.parent for path in REPORTS.glob("*/records/t*") if path.name in ("trained", "timed"))


def records(runs: Path, for_report: bool) -> Iterator[Any]:
    yield from trained_records(runs, for_report=for_report)
    yield from timed_records(runs, for_report=for_report)


def compare(full: Any, lean: Any, place: str = "") -> Iterator[str]:
    """The places that are not read; fails where what is read differs."""
    if lean is UNSET:
        yield place
    elif isinstance(full, msgspec.Struct):
        for name in full.__struct_fields__:
            yield from compare(getattr(full, name), getattr(lean, name), f"{place}.{name}")
    elif isinstance(full, list):
        for one, other in zip(full, lean, strict=True):
            yield from compare(one, other, place)
    else:
        assert full == lean, place


@pytest.mark.parametrize("runs", sorted(set(FOLDERS)), ids=lambda path: path.parent.name)
def test_what_is_read_is_what_the_record_says_and_the_rest_is_there_to_be_asked_for(runs: Path) -> None:
    found = 0
    for full, lean in zip(records(runs, for_report=False), records(runs, for_report=True), strict=True):
        assert isinstance(lean, type(full))
        assert {".description.layers", ".description.joins", ".retry"} <= set(compare(full, lean))
        assert whole(lean) == whole(full) == full
        found += 1
    assert found


def test_parts_in_which_records_agree_are_one_object(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_trained(tmp_path, make.trained(make.BASELINE, 0.9, seed=seed))
    first, second = trained_records(tmp_path, for_report=True)
    assert first.environment is second.environment
    assert first.learned_from != second.learned_from


def test_a_record_under_another_folders_name_is_found_again(tmp_path: Path) -> None:
    path = write_trained(tmp_path, make.trained(make.BASELINE, 0.9))
    moved = path.parent.rename(path.parent.with_name("moved")) / path.name
    (lean,) = trained_records(tmp_path, for_report=True)
    assert whole(lean) == read_record(moved)
    assert whole(lean).description.layers == []
