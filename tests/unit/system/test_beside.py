"""Work in a second process."""

import os
import signal

import pytest

from enhance_sweep.system.beside import beside

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the second process is Linux's")


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})


def test_the_work_is_done_in_another_process_with_what_this_one_has() -> None:
    numbers = list(range(1_000_000))  # more than a pipe holds
    found = beside(lambda: (os.getpid(), [number + 1 for number in numbers]))
    process, result = found()
    assert process != os.getpid()
    assert result == list(range(1, 1_000_001))
    with pytest.raises(ChildProcessError):
        os.waitpid(process, os.WNOHANG)  # nothing of it is left


def test_what_the_work_raises_is_raised_here() -> None:
    found = beside(lambda: {}["nothing"])
    with pytest.raises(KeyError, match="nothing"):
        found()


def test_a_process_that_is_killed_or_gives_what_cannot_be_handed_over_leaves_the_work_to_this_one() -> None:
    here = os.getpid()

    def killed() -> str:
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return "done"

    assert beside(killed)() == "done"
    assert beside(lambda: lambda: "done")()() == "done"


def test_nothing_is_started_where_it_is_not_worth_it_or_there_is_one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    assert beside(os.getpid, if_worth=False)() == os.getpid()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert beside(os.getpid)() == os.getpid()
