"""A search whose trials are in a PostgreSQL server, which goes away in the middle of it and comes back."""

import importlib.util
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from optuna.trial import TrialState

from enhance_sweep.sweep.plan import Plan
from tests.commands import Command
from tests.integration.postgresql_server import Server, programs
from tests.integration.search_launchers import PretendLauncher, trials
from tests.integration.test_search import real_search

Start = Callable[..., PretendLauncher]


@pytest.fixture
def server() -> Iterator[Server]:
    binaries = programs()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed: pip install 'enhance-sweep[postgresql]'")
    server = Server(binaries)
    server.start()
    yield server
    server.remove()


class Outage:
    """Stops the server at the given jobs, and starts it again a moment later, when the search is waiting for it."""

    def __init__(self, server: Server, moments: dict[int, str]) -> None:
        self.server = server
        self.moments = moments
        self.jobs = 0
        self.restarts: list[threading.Thread] = []

    def __call__(self, plan: Plan) -> None:
        mode = self.moments.get(self.jobs)
        self.jobs += 1
        if mode is not None:
            for restart in self.restarts:
                restart.join()
            self.server.stop(mode)
            self.restarts.append(threading.Thread(target=self._restart))
            self.restarts[-1].start()

    def _restart(self) -> None:
        time.sleep(1)
        self.server.start()


def test_a_server_that_is_stopped_and_started_again_loses_nothing(
    start: Start, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["search.trials=6", "search.cohort=3"]
    outage = Outage(server, {3: "fast", 9: "immediate"})
    broken = start(*arguments, f"search.storage={server.url}", interrupt=outage)
    for restart in outage.restarts:
        restart.join()
    assert len(outage.restarts) == 2
    assert "The storage does not answer; waiting for it" in capsys.readouterr().err
    assert set(Counter(broken.trained).values()) == {1}

    whole = start(*arguments, f"runs_dir={tmp_path / 'whole'}")
    assert (broken.trained, broken.timed) == (whole.trained, whole.timed)
    ours, others = (
        [(one.number, one.params, one.values, one.state, one.user_attrs) for one in found]
        for found in (trials(tmp_path / "runs", server.url), trials(tmp_path / "whole"))
    )
    assert ours == others


@pytest.mark.slow
def test_a_real_search_outlives_its_server(quick: list[str], server: Server, tmp_path: Path) -> None:
    arguments = real_search(quick, f"search.storage={server.url}", "search/sampler=random")
    process = Command("enhance_sweep", *arguments, cwd=tmp_path)
    outages = 0
    for line in process.lines():
        if "completed (did" in line and outages < 2:
            server.stop(("fast", "immediate")[outages])
            outages += 1
            time.sleep(1)
            server.start()
    assert process.wait() == 0, process.said()
    assert outages == 2
    told = trials(tmp_path / "runs", server.url)
    assert [one.state for one in told] == [TrialState.COMPLETE] * 4
    assert not (tmp_path / "runs" / "search.journal").exists()


@pytest.mark.slow
def test_two_processes_share_one_search(quick: list[str], server: Server, tmp_path: Path) -> None:
    arguments = real_search(quick, f"search.storage={server.url}", "search.trials=6", "search/sampler=random")
    searches = [Command("enhance_sweep", *arguments, cwd=tmp_path) for _ in range(2)]
    assert [search.wait() for search in searches] == [0, 0], [search.said() for search in searches]
    told = trials(tmp_path / "runs", server.url)
    assert len(told) == 6
    assert all(one.state == TrialState.COMPLETE for one in told), [one.user_attrs for one in told]
    by_network = {one.user_attrs["architecture_key"]: tuple(one.values) for one in told}
    assert all(tuple(one.values) == by_network[one.user_attrs["architecture_key"]] for one in told)
