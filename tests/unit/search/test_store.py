import multiprocessing
import os
import signal
from pathlib import Path
from unittest.mock import Mock

import optuna
import pytest
import sqlalchemy
from optuna.exceptions import StorageInternalError

from enhance_sweep.config import ConfigError
from enhance_sweep.search.store import JOURNAL_FILE, open_study, retry_while_unavailable

RANDOM = optuna.samplers.RandomSampler(seed=0)


def told(study: optuna.Study) -> list[list[float]]:
    return [list(one.values) for one in study.get_trials(states=[optuna.trial.TrialState.COMPLETE])]


def tell_until_killed(runs_dir: Path, said: "multiprocessing.Queue[int]") -> None:
    study = open_study(None, runs_dir, "study", RANDOM)
    for number in range(10_000):
        study.tell(study.ask(), [float(number), 0.5])
        said.put(number)


def test_two_objectives_with_names_that_a_dashboard_shows(tmp_path: Path) -> None:
    study = open_study(None, tmp_path / "runs", "study", RANDOM)
    assert [one.name for one in study.directions] == ["MINIMIZE", "MAXIMIZE"]
    assert study.metric_names == ["latency_ms", "ms_ssim"]
    assert (tmp_path / "runs" / JOURNAL_FILE).is_file()


@pytest.mark.parametrize("url", [None, "sqlite:///{}/search.db"])
def test_a_study_is_found_again(tmp_path: Path, url: str | None) -> None:
    place = url and url.format(tmp_path)
    study = open_study(place, tmp_path, "study", RANDOM)
    study.tell(study.ask(), [1.0, 0.5])
    assert told(open_study(place, tmp_path, "study", RANDOM)) == [[1.0, 0.5]]
    assert told(open_study(place, tmp_path, "other", RANDOM)) == []


@pytest.mark.parametrize("damage", [b"abc\n", b"5\n", b"[]\n", b"{}\n", b"\xff\xfe\n", b'{"op_code": 0}\n'])
def test_a_damaged_journal_is_named_with_the_remedy(tmp_path: Path, damage: bytes) -> None:
    open_study(None, tmp_path, "study", RANDOM)
    path = tmp_path / JOURNAL_FILE
    path.write_bytes(path.read_bytes() + 2 * damage)  # of the last line Optuna waits for the rest
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"is damaged .*move it away and start the search again") as refused:
        open_study(None, tmp_path, "study", RANDOM)
    assert str(path) in str(refused.value)
    assert path.read_bytes() == before


def test_a_database_file_that_cannot_be_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be opened: does its folder exist"):
        open_study(f"sqlite:///{tmp_path}/nowhere/search.db", tmp_path, "study", RANDOM)


def test_what_a_killed_process_told_is_there(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    said: multiprocessing.Queue[int] = context.Queue()
    process = context.Process(target=tell_until_killed, args=(tmp_path, said))
    process.start()
    while said.get(timeout=60) < 20:
        pass
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    numbers = [20]
    while not said.empty():
        numbers.append(said.get())
    study = open_study(None, tmp_path, "study", RANDOM)
    values = [one[0] for one in told(study)]
    assert values == [float(number) for number in range(len(values))]
    assert len(values) > max(numbers)
    study.tell(study.ask(), [-1.0, 0.5])
    assert told(open_study(None, tmp_path, "study", RANDOM))[-1] == [-1.0, 0.5]


@pytest.mark.parametrize("torn", [b'{"op_code":6,"tri', b"\x00\x00", b"{"])
def test_a_line_that_was_cut_short_loses_nothing(tmp_path: Path, torn: bytes) -> None:
    study = open_study(None, tmp_path, "study", RANDOM)
    study.tell(study.ask(), [1.0, 0.5])
    with (tmp_path / JOURNAL_FILE).open("ab") as file:
        file.write(torn)
    again = open_study(None, tmp_path, "study", RANDOM)
    assert told(again) == [[1.0, 0.5]]
    again.tell(again.ask(), [2.0, 0.5])
    study.tell(study.ask(), [3.0, 0.5])  # who had it open before the accident goes on too
    assert told(open_study(None, tmp_path, "study", RANDOM)) == [[1.0, 0.5], [2.0, 0.5], [3.0, 0.5]]


@pytest.mark.parametrize("url", ["nonsense", "postgresql+nodriver://localhost/x", "nosuchdatabase://localhost/x"])
def test_a_url_of_nothing_is_refused_by_name(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="search.storage: '" + url.replace("+", r"\+")):
        open_study(url, tmp_path, "study", RANDOM)


def away(times: int) -> Mock:
    """A storage that does not answer the first few times."""
    error = StorageInternalError("An exception is raised during the commit.")
    error.__cause__ = sqlalchemy.exc.OperationalError("SELECT 1", {}, Exception("server closed the connection"))
    return Mock(side_effect=[*[error] * times, "answer"])


def test_a_storage_that_is_away_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    pauses: list[float] = []
    assert retry_while_unavailable(away(4), sleep=pauses.append) == "answer"
    assert pauses == [0.5, 1.0, 2.0, 4.0]
    assert capsys.readouterr().err.count("The storage does not answer; waiting for it (server closed") == 1


def test_patience_ends_and_says_what_to_do() -> None:
    message = r"search.storage: it has not answered for 66 s \(server closed the connection\). Nothing is"
    with pytest.raises(ConfigError, match=message):
        retry_while_unavailable(away(1000), patience_s=60, sleep=lambda _: None)


def test_any_other_error_is_not_waited_out() -> None:
    broken = Mock(side_effect=StorageInternalError("no such column"))
    with pytest.raises(StorageInternalError, match="no such column"):
        retry_while_unavailable(broken, sleep=lambda _: pytest.fail("waited"))
