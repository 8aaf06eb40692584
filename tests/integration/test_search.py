"""A search from proposals to told trials: its flow in this process, without training; and as a person types it."""

import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import FrozenTrial, TrialState

from enhance_sweep.records import load_records
from enhance_sweep.records.store import timed_records, trained_records
from enhance_sweep.search import loop
from enhance_sweep.search.store import JOURNAL_FILE
from enhance_sweep.stats.cost_model import Predictor
from enhance_sweep.sweep.plan import Plan
from tests.commands import Command, run
from tests.integration.conftest import NOT_FOR_A_SEARCH
from tests.integration.search_launchers import BASELINE_MS, PretendLauncher, latency_ms, quality, trials

Start = Callable[..., PretendLauncher]
Search = Callable[..., tuple[PretendLauncher, list[FrozenTrial]]]
FEW = ["model=plain", "model.channels=choice(2,3)", "model.blocks=choice(0,1)"]


@pytest.fixture
def search(start: Start, tmp_path: Path) -> Search:
    """A search of so many trials in cohorts of so many; its launcher and its trials."""

    def run_to_its_end(count: int, cohort: int, *more: str, runs: str = "runs", **options: Any) -> Any:
        arguments = [f"search.trials={count}", f"search.cohort={cohort}", f"runs_dir={tmp_path / runs}", *more]
        return start(*arguments, **options), trials(tmp_path / runs)

    return run_to_its_end


# --- the flow, without training ---------------------------------------------------------------------------------------


def test_test_pairs_are_scored_on_the_last_rung_alone(search: Search) -> None:
    pretend, _ = search(12, 6)
    assert {steps for _, steps in pretend.trained} == {2, 4, 8}
    assert pretend.scored == [one for one in pretend.trained if one[1] == 8] != []


def test_the_best_of_each_family_is_kept_as_long_as_is_asked_for(search: Search) -> None:
    def strided_is_better(architecture: dict[str, Any], steps: int) -> float:
        return 0.9 if architecture["topology"] == "strided" else 0.5 + steps / 100

    # Plain networks are the slower ones, and the worse ones all the way.
    fewest = ["search.finalists=1", "search.saturation=null", "model.channels=8", "model.kernel_size=3"]
    for kept, goes_on in ((0, False), (2, True)):
        asked = [*fewest, f"search.family_rungs={kept}"]
        pretend, _ = search(8, 8, *asked, runs=str(kept), quality=strided_is_better, families=FAMILIES)
        assert (max(steps for name, steps in pretend.trained if name.startswith("plain")) == 8) == goes_on


def test_a_search_times_halves_and_tells(search: Search, capsys: pytest.CaptureFixture[str]) -> None:
    pretend, told = search(12, 6)
    assert len(told) == 12
    assert all(one.state.is_finished() for one in told)
    assert sorted(pretend.timed) == sorted(set(pretend.timed)), "nothing is timed twice"
    assert set(Counter(pretend.trained).values()) == {1}, "nothing is trained twice"
    steps = Counter(steps for _, steps in pretend.trained)
    assert steps[2] > steps[4] >= steps[8] > 0
    for one in told:
        about = one.user_attrs
        if one.state == TrialState.COMPLETE:
            assert about["latency"] == "measured"
            assert one.values[0] == about["latency_ms"]
            assert one.values[1] == about["curve"][str(about["steps"])]
            assert about["finished"] == (about["steps"] == 8)
            assert ("reason" not in about) == about["finished"]
        assert ("model.strided_kernel_size" in one.params) == (one.params["model"] == "strided")
    said = capsys.readouterr().err
    assert "12 trials in all, 0 of them told; 4 parameters; trained in 3 rungs (2, 4, 8 steps)." in said
    assert "12 trials: " in said
    assert "On the frontier, of those:" in said


def test_trials_are_counted_in_total_over_restarts(search: Search) -> None:
    one_go, whole = search(10, 4, runs="other")
    assert len(search(4, 4)[1]) == 4
    more, told = search(10, 4)
    assert len(told) == 10
    for count in (10, 3):
        again, _ = search(count, 4)
        assert (again.trained, again.timed) == ([], [])
    same = ([(one.params, one.values) for one in found] for found in (told, whole))
    assert next(same) == next(same), "an interrupted search is the same as one in one go"
    assert set(more.trained) < set(one_go.trained)


class Killed(BaseException):
    """What nobody catches, as a SIGKILL is caught by nobody."""


def test_a_search_that_was_stopped_anywhere_ends_as_if_it_had_not_been(search: Search) -> None:
    """Stopped again and again, after so many jobs each time."""
    for jobs in (0, 3, 4, 5):
        left = itertools.count(jobs, -1)

        def interrupt(plan: Plan, left: Iterator[int] = left) -> None:
            if next(left) <= 0:
                raise Killed

        with pytest.raises(Killed):
            search(8, 4, interrupt=interrupt)
    ended, whole = ([(one.params, one.values, one.state) for one in search(8, 4, runs=n)[1]] for n in ("runs", "whole"))
    assert ended == whole


def test_one_network_is_run_once_however_often_it_is_proposed(search: Search) -> None:
    pretend, told = search(20, 5, *FEW, "search/sampler=random")
    assert len(told) == 20
    assert len(pretend.timed) == 4
    assert set(Counter(pretend.trained).values()) == {1}
    by_network: dict[str, set[Any]] = {}
    for one in told:
        by_network.setdefault(one.user_attrs["architecture_key"], set()).add((one.state, tuple(one.values or ())))
    assert len(by_network) == 4
    assert all(len(known) == 1 for known in by_network.values()), "repeats are told what is known"
    repeats = [one for one in told if "same_as" in one.user_attrs]
    assert len(repeats) == 16
    assert all(one.user_attrs["name"] == told[one.user_attrs["same_as"]].user_attrs["name"] for one in repeats)


def test_what_was_run_before_the_search_is_not_run_again(search: Search, tmp_path: Path) -> None:
    few = ["model=plain", "model.channels=choice(2,3,4,5)", "model.blocks=1"]
    search(6, 6, *few)
    (tmp_path / "runs" / JOURNAL_FILE).unlink()
    again, _ = search(6, 6, *few)
    assert again.timed == []
    # The launcher is asked, and the variant itself knows what it has; here that is the records of the first search.
    assert {steps for _, steps in again.trained} <= {2, 4, 8}


def test_a_failed_variant_is_told_as_failed_and_stops_nothing(search: Search) -> None:
    def failing(architecture: dict[str, Any], steps: int) -> float | None:
        return None if architecture["channels"] % 2 and steps > 2 else quality(architecture, steps)

    _, told = search(12, 6, quality=failing)
    assert len(told) == 12
    failed = [one for one in told if one.state == TrialState.FAIL]
    assert failed
    assert {one.user_attrs["reason"] for one in failed} == {"diverged: as arranged"}
    assert all(one.params["model.channels"] % 2 for one in failed)
    assert [one for one in told if one.state == TrialState.COMPLETE and one.user_attrs["finished"]]


def test_a_job_that_is_lost_with_its_node_is_a_failure_of_its_own(search: Search) -> None:
    def lost(plan: Plan) -> Exception | None:
        return RuntimeError("node lost") if plan.architecture["blocks"] == 1 else None

    _, told = search(8, 8, interrupt=lost)
    reasons = {one.user_attrs["reason"] for one in told if one.state == TrialState.FAIL}
    assert reasons == {"RuntimeError: node lost"}
    assert {one.params["model.blocks"] for one in told if one.state == TrialState.COMPLETE} <= {0, 2}


def test_what_another_process_has_in_hand_is_waited_for(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(loop.time, "sleep", pauses.append)
    seen: Counter[tuple[str, int]] = Counter()

    def held(plan: Plan) -> dict[str, Any] | None:
        seen[plan.name, plan.max_steps] += 1
        return {"status": "held", "reason": None} if seen[plan.name, plan.max_steps] < 3 else None

    pretend, _ = search(3, 3, parallel_jobs=2, interrupt=held)
    assert set(Counter(pretend.trained).values()) == {1}
    assert pauses, "it does not ask without a pause while all is held"


def test_what_another_process_has_in_hand_keeps_nobody_waiting(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop.time, "sleep", lambda seconds: None)
    asked: list[tuple[str, int]] = []

    def held(plan: Plan) -> dict[str, Any] | None:
        if "train" not in plan.settings.stages:
            return None
        asked.append((plan.name, plan.max_steps))
        return {"status": "held", "reason": None} if len(asked) == 1 else None

    pretend, _ = search(4, 4, interrupt=held)
    first_rung = [one for one in asked if one[1] == 2]
    assert first_rung[0] == first_rung[-1], "asked for again after all others"
    assert set(Counter(pretend.trained).values()) == {1}


def test_another_machine_times_nothing_in_vain(search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(seconds: float) -> None:
        raise Killed

    search(4, 4, host="node-7")
    timed = len(list((tmp_path / "runs" / "timed").iterdir()))
    monkeypatch.setattr(loop.time, "sleep", wait)
    with pytest.raises(Killed):
        search(8, 4, host="node-8")
    assert len(list((tmp_path / "runs" / "timed").iterdir())) == timed + 1


def test_networks_above_the_limit_are_dropped_untrained(search: Search) -> None:
    pretend, told = search(16, 8, "search.max_latency_ms=60")
    slow = [one for one in told if one.user_attrs["latency_ms"] > 60]
    assert slow
    assert all(one.state == TrialState.PRUNED and one.user_attrs["steps"] == 0 for one in slow)
    assert not {one.user_attrs["name"] for one in slow} & {name for name, _ in pretend.trained}
    for one in told:
        assert one.constraints == {"max_latency_ms": one.user_attrs["latency_ms"] - 60}


def test_latencies_can_be_predicted_and_those_who_reach_the_end_are_timed(search: Search) -> None:
    pretend, told = search(24, 12, "search.latency=predicted")
    assert 8 <= len(pretend.timed) < len({one.user_attrs["architecture_key"] for one in told})
    finished = {one.user_attrs["name"] for one in told if one.user_attrs.get("finished")}
    assert finished <= set(pretend.timed)
    assert {one.user_attrs["latency"] for one in told if one.user_attrs.get("finished")} == {"measured"}
    assert "predicted" in {one.user_attrs["latency"] for one in told}


def test_predicting_from_too_few_times_them_all(search: Search) -> None:
    pretend, told = search(3, 3, "search.latency=predicted")
    assert len(pretend.timed) == len({one.user_attrs["architecture_key"] for one in told})


def test_jobs_that_run_on_another_host_bring_its_latencies(search: Search) -> None:
    _, told = search(4, 4, host="node-7")
    assert {one.state for one in told} <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert all(one.user_attrs["latency"] == "measured" for one in told)
    # Another machine goes on, and is told the latencies of the first, not its own.
    more, told = search(8, 4, host="node-7")
    assert more.timed
    assert len(told) == 8


def test_the_launcher_gets_as_many_jobs_as_it_was_said(search: Search) -> None:
    pretend, _ = search(6, 6, parallel_jobs=4)
    assert max(pretend.batches) == 4
    assert pretend.batches[:2] == [4, 2]


def test_later_cohorts_compete_with_earlier_ones(search: Search) -> None:
    def worse_and_worse(architecture: dict[str, Any], steps: int) -> float:
        return 0.5 - latency_ms(architecture) / 1e4

    pretend, told = search(24, 6, quality=worse_and_worse)
    fastest = min(one.user_attrs["latency_ms"] for one in told)
    assert fastest in {one.user_attrs["latency_ms"] for one in told if one.user_attrs.get("finished")}
    assert len([1 for _, steps in pretend.trained if steps == 8]) < 12


def test_a_search_by_a_measure_of_which_less_is_better_is_the_same_search_mirrored(
    search: Search, capsys: pytest.CaptureFixture[str]
) -> None:
    by_ms_ssim, usual = search(12, 6, "search/sampler=random")
    by_mdsi, mirrored = search(12, 6, "search/sampler=random", "search.quality=mdsi", runs="mirrored")
    assert by_mdsi.trained == by_ms_ssim.trained
    assert len({steps for _, steps in by_mdsi.trained}) == 3, "halved"
    for one, other in zip(usual, mirrored, strict=True):
        assert one.state == other.state
        if one.state == TrialState.COMPLETE:
            assert other.values == pytest.approx([one.values[0], 1 - one.values[1]])
            assert other.user_attrs["curve"] == pytest.approx({at: 1 - q for at, q in one.user_attrs["curve"].items()})
    frontiers = [
        re.findall(r"^  (.+): [\d.]+ ms, (MS-SSIM|MDSI) ", half, re.M)
        for half in capsys.readouterr().err.split("12 trials: ")[1:]
    ]
    assert [name for name, _ in frontiers[0]] == [name for name, _ in frontiers[1]] != []
    assert {label for _, label in frontiers[1]} == {"MDSI"}


def test_conditions_reach_the_proposals(search: Search) -> None:
    for one in search(12, 12, when={"model.blocks": "model=plain"})[1]:
        assert ("model.blocks" in one.params) == (one.params["model"] == "plain")


FAMILIES = ["plain", "strided"]


def test_a_search_over_families_draws_from_their_own_files_and_tries_known_networks_first(search: Search) -> None:
    known = [{"model": "plain", "channels": 12, "blocks": 1, "kernel_size": 5}]
    _, told = search(14, 7, families=FAMILIES, known=known)
    assert [one.state for one in told if one.state not in (TrialState.COMPLETE, TrialState.PRUNED)] == []
    own = {"model": "plain", "plain.kernel_size": 3, "plain.blocks": 4, "plain.prelu": False}
    assert own.items() <= told[0].params.items(), "its own channels, 64, are not searched"
    assert told[0].params["plain.channels"] in (8, 12, 16, 24, 32)
    assert told[1].params["model"] == "strided"
    assert told[1].params["strided.channels"] == 16
    named = {name: told[2].params[f"plain.{name}"] for name in ("channels", "blocks", "kernel_size", "prelu")}
    assert named == {"channels": 12, "blocks": 1, "kernel_size": 5, "prelu": False}
    for one in told:
        family = one.params["model"]
        assert {name.partition(".")[0] for name in one.params} == {"model", family}
        assert one.user_attrs["name"].startswith(family)
    assert {one.params["model"] for one in told} == set(FAMILIES)
    plain, _ = search(4, 4, "model=plain", "model.channels=choice(3,4)", families=FAMILIES, runs="plain")
    assert {name.split("-")[2] for name in plain.timed} <= {"c3", "c4"}


def test_a_search_of_two_hosts_compares_ratios_and_waits_for_neither(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(loop.time, "sleep", lambda _: pytest.fail("waited"))
    speed_up = "search.speed=speed_up"
    search(4, 4, speed_up, host="node-7", slowness=4.0)
    pretend, told = search(8, 4, speed_up, host="node-8", slowness=1.0)
    assert pretend.timed, "the second host times for itself"
    alone = search(8, 4, speed_up, host="node-7", slowness=4.0, runs="alone")[1]
    assert [one.params for one in told] == [one.params for one in alone]
    finished = [one for one in told if one.state == TrialState.COMPLETE]
    for one, other in zip(told, alone, strict=True):
        assert (one.state, one.values) == (other.state, other.values), "as if one host had timed all"
    for one in finished:
        about = one.user_attrs
        assert one.values[0] == pytest.approx(math.log2(about["speed_up"]))
        assert about["latency_ms"] * about["speed_up"] == pytest.approx(BASELINE_MS * 4), "as on the first host"
    timed = Counter(record.measurement.host for record in timed_records(tmp_path / "runs"))
    assert set(timed) == {"node-7", "node-8"}
    assert pretend.timed.count("plain-k3-c64-b4") == 1, "its own baseline, once"
    assert capsys.readouterr().err.count("Hypervolume: ") == 0, "nothing says how good the untouched input is"


def test_a_limit_of_latency_is_the_first_hosts(search: Search) -> None:
    limit = ["search.speed=speed_up", "search.max_latency_ms=240"]
    _, told = search(8, 8, *limit, host="node-7", slowness=4.0)
    slow = [one for one in told if one.user_attrs["latency_ms"] > 240]
    assert slow
    assert {one.state for one in slow} == {TrialState.PRUNED}
    _, more = search(16, 8, *limit, host="node-8", slowness=1.0)
    for one in more:
        assert (one.user_attrs["latency_ms"] > 240) == (one.state == TrialState.PRUNED and "steps" in one.user_attrs)


def test_a_host_whose_baseline_cannot_be_timed_fails_its_networks(search: Search) -> None:
    _, told = search(3, 3, "search.speed=speed_up", baseline=False)
    assert {one.state for one in told} == {TrialState.FAIL}
    assert {one.user_attrs["reason"] for one in told} == {"its host has no timing of the baseline to compare it with"}


def test_what_a_prediction_leaves_open_is_timed(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a known family, those whose interval holds the limit; of a new one, the first two."""

    def interval(self: Predictor, description: Any, family: str) -> tuple[float, float, float]:
        ms = description.macs / 1e6
        return ms, ms / 2, ms * 2

    monkeypatch.setattr(Predictor, "interval_ms", interval)
    monkeypatch.setattr(Predictor, "fit", lambda *_: Predictor(None, frozenset(["plain"]), 1.0, 1.0))  # type: ignore[arg-type]
    limit = ["search.latency=predicted", "search.first_rung=8"]
    _, told = search(30, 30, *limit, "search.max_latency_ms=300", "search/sampler=random", families=FAMILIES)
    networks = [one for one in told if "same_as" not in one.user_attrs]
    first = {one.user_attrs["name"] for one in networks if one.user_attrs["latency"] == "measured"}
    dropped = [one for one in networks if one.state == TrialState.PRUNED]
    assert dropped
    assert {one.user_attrs["latency"] for one in dropped} == {"measured", "predicted"}
    for one in dropped:
        if one.user_attrs["latency"] == "predicted":
            assert one.user_attrs["latency_ms"] / 2 > 300 or one.params["model"] == "strided"
    assert sum(name.startswith("strided") for name in first) >= 2


@pytest.mark.parametrize("sampler", ["nsga2", "random", "nsga2 search.sampler._target_=optuna.samplers.NSGAIIISampler"])
def test_samplers_are_chosen_by_configuration(search: Search, sampler: str) -> None:
    chosen = f"search/sampler={sampler}".split()
    first, again = ([one.params for one in search(6, 3, *chosen, runs=name)[1]] for name in ("runs", "again"))
    assert first == again, "seeded"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["trainer.schedule=one_cycle"], "trainer.schedule: expected constant, got one_cycle"),
        (["model=plain", "model.strided_kernel_size=choice(3,4)"], "model.strided_kernel_size: no model of this s"),
        (["model.channels=choice(4,wide)"], "model=plain model.channels: expected int, got 'wide'"),
        (["model.channels=glob(*)"], "model.channels=glob(*): expected values to choose from"),
        (["model.channels=choice(4,0)"], "model=plain model: channels: expected at least 1, got 0"),
        (["trainer.start=identity"], "model=plain trainer.start: expected at least 3 channels"),
        (["model.channels=interval(0,4)"], "model=plain model: channels: expected at least 1, got 0"),
        (["model.blocks=interval(0.5,2.5)"], "model.blocks: expected int, got 0.5"),
        (["stages=[train]"], "stages=[train]: a search decides itself"),
        (["search.trials=0"], "search.trials: expected at least 1, got 0"),
        (["search.latency=guessed"], "search.latency: expected one of measured, predicted, got 'guessed'"),
        (
            ["search.quality=beauty"],
            "search.quality: expected one of ms_ssim, psnr_db, ciede2000, haarpsi, mdsi, dss, vsi,",
        ),
        (["search.reduction_factor=1"], "search.reduction_factor: expected a number above 1, got 1.0"),
        (["search.max_latency_ms=-1"], "search.max_latency_ms: expected a positive number or null, got -1.0"),
        (["search.storage=nonsense"], "search.storage: 'nonsense' cannot be opened"),
        (["+search.sampler.sede=1"], "search.sampler.sede: search.sampler=TPESampler has no such setting"),
        (
            ["search.sampler._target_=optuna.pruners.NopPruner", "~search.sampler.seed"],
            "expected a class of optuna.samplers, got 'optuna.pruners.NopPruner'",
        ),
    ],
)
def test_what_cannot_end_well_is_refused(start: Start, tmp_path: Path, overrides: list[str], message: str) -> None:
    with pytest.raises(SystemExit) as refused:
        start(*overrides)
    assert message in str(refused.value)
    assert not (tmp_path / "runs" / "timed").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"parallel_jobs": "many"}, "hydra.sweeper.max_batch_size: expected a whole number, got 'many'"),
        ({"when": [1, 2]}, "hydra.sweeper.when: expected parameters by name, {NAME: TEXT}, got [1, 2]"),
        ({"families": ["shuffeld"]}, "hydra.sweeper.families: expected all, or a list of coefficients, plain, "),
        (
            {"families": ["plain"], "known": [{"model": "plain", "width": 3}]},
            "hydra.sweeper.known: plain has no setting 'width'",
        ),
    ],
)
def test_a_sweepers_settings_are_checked(start: Start, tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SystemExit, match=re.escape(message)):
        start(**settings)
    assert not (tmp_path / "runs").exists()


def test_a_journal_that_is_a_folder_is_one_line(start: Start, tmp_path: Path) -> None:
    (tmp_path / "runs" / JOURNAL_FILE).mkdir(parents=True)
    with pytest.raises(SystemExit, match=r"error: .*Is a directory.*search\.journal"):
        start("search.trials=2")


def test_where_none_is_trained_to_its_end_is_no_frontier(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    start("search.trials=4", "search.max_latency_ms=1e-3")
    assert capsys.readouterr().err.splitlines()[-1].endswith("4 dropped untrained, 0 failed, 0 trained to the end.")


def test_one_cycle_is_fine_where_nothing_is_halved(search: Search) -> None:
    pretend, _ = search(3, 3, "trainer.schedule=one_cycle", "search.first_rung=8")
    assert {steps for _, steps in pretend.trained} == {8}


# --- for real ---------------------------------------------------------------------------------------------------------

REAL = ["model=plain", "model.channels=choice(2,3)", "model.kernel_size=3", "model.prelu=false"]
REAL += ["search.trials=4", "search.cohort=4"]


def real_search(quick: list[str], *overrides: str) -> list[str]:
    shared = [one for one in quick if not one.startswith(("model.channels", *NOT_FOR_A_SEARCH))]
    halved = ["sweeps=search", "trainer.max_steps=4", "search.first_rung=2"]
    halved += ["search.saturation=null"]  # so small networks' times are more noise than size
    return [*halved, *shared, *REAL, *overrides]


def test_a_real_search_over_two_widths(quick: list[str], tmp_path: Path) -> None:
    random = "search/sampler=random"  # four draws have both networks
    arguments = real_search(quick, random)
    first = run("enhance_sweep", *arguments, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "4 trials in all, 0 of them told" in first.stderr
    runs = tmp_path / "runs"
    told = trials(runs)
    assert [one.state for one in told] == [TrialState.COMPLETE] * 4
    finished = {one.user_attrs["architecture_key"]: one for one in told if one.user_attrs["finished"]}
    frame = load_records(runs).set_index("architecture_key")
    assert len(frame) == 2
    assert frame["status"].eq("completed").all()
    for key, one in finished.items():
        assert one.values == pytest.approx([frame.loc[key, "latency_ms_median"], frame.loc[key, "validation_ms_ssim"]])
        assert frame.loc[key, "steps"] == 4
    for record in trained_records(runs):
        assert [row.step for row in record.quality] == ([0, 2, 4] if record.steps == 4 else [2])
        assert bool(record.pictures) == (record.steps == 4), "only the finished are looked at"
        assert bool(record.scores) == (record.steps == 4), "and only they are scored on the test pairs"
    assert frame["ms_ssim"].notna().eq(frame["steps"] == 4).all(), "what is not scored is not taken for finished"
    assert frame["validation_ms_ssim"].notna().all()

    second = run("enhance_sweep", *arguments, cwd=tmp_path)
    assert second.returncode == 0, second.stderr
    assert "4 trials in all, 4 of them told" in second.stderr
    assert "completed (did" not in second.stderr


def test_a_network_dropped_on_a_rung_goes_on_from_there_and_is_scored(quick: list[str], tmp_path: Path) -> None:
    """As a search leaves it: trained for two steps, without scores. By hand it gets them, as in one go."""
    before, whole = ["trainer.evaluate_at=[2,4]"], [*quick, "trainer.max_steps=4"]
    short = run("enhance_sweep", *quick, *before, "trainer.max_steps=2", "stages=[train]", cwd=tmp_path)
    assert short.returncode == 0, short.stderr
    (row,) = load_records(tmp_path / "runs").to_dict("records")
    assert (row["status"], row["steps"], math.isnan(row["ms_ssim"])) == ("completed", 2, True)
    again = run("enhance_sweep", *whole, *before, "stages=[train,evaluate]", cwd=tmp_path)
    once = run("enhance_sweep", *whole, *before, "stages=[train,evaluate]", "runs_dir=once", cwd=tmp_path)
    assert (again.returncode, once.returncode) == (0, 0), again.stderr + once.stderr
    (halved,), (straight,) = (list(trained_records(tmp_path / runs)) for runs in ("runs", "once"))
    assert halved.steps == 4
    assert halved.scores is not None
    assert straight.scores is not None
    assert halved.scores.ms_ssim == pytest.approx(straight.scores.ms_ssim, abs=1e-6)
    assert [row.step for row in halved.quality] == [0, 2, 4]


@pytest.mark.slow
def test_a_killed_search_goes_on_and_loses_nothing(quick: list[str], tmp_path: Path) -> None:
    arguments = real_search(quick, "search.trials=6", "search.cohort=3", "model.channels=choice(2,3,4)")
    for kill in range(4):
        process = Command("enhance_sweep", *arguments, cwd=tmp_path)
        seen = 0
        for line in process.lines():  # some finished job further each time
            seen += "completed (did" in line
            if seen > kill:
                break
        process.kill()
    done = {one.number: one.values for one in trials(tmp_path / "runs") if one.state.is_finished()}
    ended = run("enhance_sweep", *arguments, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    told = trials(tmp_path / "runs")
    assert len(told) == 6
    assert all(one.state == TrialState.COMPLETE for one in told)
    assert {number: told[number].values for number in done} == done


def test_a_dry_run_of_a_wide_search_says_what_it_will_cost(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ["dry_run=true", "search.trials=10", "search.cohort=5", "search.speed=speed_up", "search.finalists=2"]
    start(*settings, "search.max_latency_ms=1e5", families=FAMILIES)
    said = capsys.readouterr().err
    assert "A search of 10 trials over 12 parameters of 2 families, 352 networks, 5 at a time" in said
    # Of each cohort 5 networks to 2 steps, 3 to 4 and 2 to 8.
    assert f"At most {2 * (5 * 2 + 3 * 2 + 2 * 4)} steps in 20 trainings, 4 of them to the end (2, 4, 8 steps)" in said
    assert re.search(r"About .+ in all, a first guess: .+ of training \(\d+ to \d+ ms a step\), .+ of timing\.", said)
    assert not (tmp_path / "runs").exists()
