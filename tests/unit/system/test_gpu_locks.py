"""One GPU for one training, between real processes; the GPUs are made up."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from enhance_sweep.system import locks
from tests.unit.system.processes import said, started

CLAIM = """
import sys
from types import SimpleNamespace as Made
gpus = dict(is_available=lambda: True, device_count=lambda: 2)
sys.modules["torch"] = Made(cuda=Made(**gpus, get_device_properties=lambda index: Made(uuid=f"made-up-{index}")))
from enhance_sweep.system import locks
with locks.claimed_gpu("auto") as devices:
    print(devices, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "gpu_lock_path", lambda index: tmp_path / f"{index}.lock")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.usefixtures("two_gpus")
def test_each_training_has_a_gpu_of_its_own() -> None:
    with locks.claimed_gpu("auto") as first, locks.claimed_gpu("cuda") as second:
        assert (first, second) == ([0], [1])
    with locks.claimed_gpu("gpu") as again:
        assert again == [0]


@pytest.mark.usefixtures("two_gpus")
def test_one_that_is_done_leaves_its_gpu_to_the_next() -> None:
    with locks.claimed_gpu("auto"), locks.claimed_gpu("auto"):
        pass
    with locks.claimed_gpu("auto") as first:
        with pytest.raises(KeyError), locks.claimed_gpu("auto"):
            raise KeyError
        with locks.claimed_gpu("auto") as second:
            assert (first, second) == ([0], [1])


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize("accelerator", ["cpu", "mps"])
def test_a_training_without_a_gpu_claims_none(tmp_path: Path, accelerator: str) -> None:
    with locks.claimed_gpu(accelerator) as devices:
        assert devices == 1
    assert not list(tmp_path.iterdir())


def test_without_cuda_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with locks.claimed_gpu("auto") as devices:
        assert devices == 1


def test_a_gpu_is_known_by_what_it_is_not_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    properties = {0: SimpleNamespace(uuid="abc"), 1: SimpleNamespace(uuid="def")}
    monkeypatch.setattr(torch.cuda, "get_device_properties", properties.__getitem__)
    assert locks.gpu_lock_path(1).name == "enhance_sweep-gpu-def.lock"


def test_one_more_than_there_are_waits_and_a_dead_holder_lets_go(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    one, two = started(CLAIM), started(CLAIM)
    assert {said(one), said(two)} == {"[0]", "[1]"}
    three = started(CLAIM)
    assert three.stderr.readline() == "training waits for one of 2 GPUs: other trainings hold them all\n"
    one.kill()
    one.wait()
    assert said(three) in ("[0]", "[1]")
    for process in (two, three):
        process.communicate("")
        assert process.returncode == 0
