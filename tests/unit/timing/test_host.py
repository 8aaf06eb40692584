import os
from pathlib import Path

import pytest

from enhance_sweep.timing import host


def test_the_same_host_has_the_same_name_and_another_machine_another() -> None:
    here = host.fingerprint()
    assert host.host_id(here) == host.host_id(host.fingerprint())
    assert host.host_id(here | {"kernel": "Linux 99"}) == host.host_id(here)
    for change in ({"cpu": "Other CPU"}, {"cores": here["cores"] + 1}, {"node": "elsewhere"}, {"flags": []}):
        assert host.host_id(here | change) != host.host_id(here)


def test_a_host_is_readable_from_its_name() -> None:
    here = host.fingerprint() | {"cpu": "Intel(R) Xeon(R) Processor @ 2.0GHz", "cores": 2}
    assert host.host_id(here).startswith("intel_xeon-2c-")


def test_threads_go_to_different_physical_cores_first(monkeypatch: pytest.MonkeyPatch) -> None:
    siblings = {0: {0, 4}, 4: {0, 4}, 1: {1, 5}, 5: {1, 5}}
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 4, 5}, raising=False)
    monkeypatch.setattr(host, "_siblings", siblings.__getitem__)
    assert host.cores_to_pin(2) == [0, 1]
    assert host.cores_to_pin(3) == [0, 1, 4]
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {4, 5})
    assert host.cores_to_pin(2) == [4, 5]


@pytest.mark.parametrize(("text", "cores"), [("0,64\n", {0, 64}), ("0-3\n", {0, 1, 2, 3})])
def test_the_kernels_lists_of_siblings(text: str, cores: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda self: text)
    assert host._siblings(0) == cores
