"""Memory that is taken and given back."""

import threading
from pathlib import Path

import pytest
import torch

from enhance_sweep.enhance import memory
from enhance_sweep.enhance.memory import Budget, store


def test_a_budget_is_never_overdrawn_and_waits_for_what_comes_back() -> None:
    budget = Budget(10)
    assert budget.take(6)
    assert not budget.take(5)
    assert budget.take(4)
    taken = threading.Event()
    waiting = threading.Thread(target=lambda: (budget.wait_and_take(5), taken.set()))
    waiting.start()
    budget.give_back(4)
    assert not taken.is_set()
    budget.give_back(6)
    waiting.join(timeout=10)
    assert taken.is_set()
    with pytest.raises(ValueError, match="at most 10"):
        budget.wait_and_take(11)


@pytest.mark.parametrize("size", [0, 2**20])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rows_come_back_as_they_were_written(size: int, dtype: torch.dtype, tmp_path: Path) -> None:
    rows = torch.rand(7, 5).to(dtype)
    kept = store(7, 5, dtype, Budget(size), tmp_path)
    kept.write(4, rows[4:])
    kept.write(0, rows[:4])
    assert torch.equal(kept.read(0, 7), rows)
    assert torch.equal(kept.read(3, 5), rows[3:5])
    assert list(tmp_path.iterdir()) == [], "a temporary file has a name"
    kept.close()


def test_a_disk_without_room_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 2**30

    monkeypatch.setattr(memory.shutil, "disk_usage", lambda folder: Usage)
    with pytest.raises(OSError, match=r"3\.0 GiB are needed .* 1\.0 are free: raise --max-memory, or set TMPDIR"):
        store(3 * 2**20, 256, torch.float32, Budget(0), tmp_path)
