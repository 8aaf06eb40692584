from collections.abc import Collection
from typing import Any

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from enhance_sweep.config import ConfigError
from enhance_sweep.search.space import Space, read_space

SETTINGS = {
    "plain": {"kernel_size", "channels", "blocks"},
    "strided": {"kernel_size", "channels", "blocks", "strided_kernel_size"},
    "srcnn": set[str](),
}


def settings_of(model: str | None) -> Collection[str]:
    return SETTINGS[model or "plain"]


def read(params: dict[str, Any], *arguments: str, when: dict[str, Any] | None = None) -> tuple[Space, list[str]]:
    return read_space(params, when or {}, arguments, OverridesParser.create())


def draws(space: Space, count: int = 60) -> list[dict[str, str]]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return [dict(one.split("=", 1) for one in space.draw(study.ask(), settings_of)) for _ in range(count)]


@pytest.mark.parametrize(
    ("value", "distribution", "texts"),
    [
        ("3,5", CategoricalDistribution([3, 5]), ["3", "5"]),
        ("choice(3, 5)", CategoricalDistribution([3, 5]), ["3", "5"]),
        ("choice(true,false)", CategoricalDistribution([True, False]), ["True", "False"]),
        ("choice(a,'b c')", CategoricalDistribution(["a", "b c"]), ["a", "b\\ c"]),
        ("range(1,5)", IntDistribution(1, 4), []),
        ("range(8,65,8)", IntDistribution(8, 64, step=8), []),
        ("range(0.1,0.35,0.1)", FloatDistribution(0.1, 0.3, step=0.1), []),
        ("interval(1,8)", IntDistribution(1, 8), []),
        ("int(interval(1.0,8.0))", IntDistribution(1, 8), []),
        ("interval(1.0,8.0)", FloatDistribution(1.0, 8.0), []),
        ("interval(1e-4,1e-2)", FloatDistribution(1e-4, 1e-2), []),
        ("tag(log,interval(4,64))", IntDistribution(4, 64, log=True), []),
    ],
)
def test_hydras_words_become_optunas(value: str, distribution: Any, texts: list[str]) -> None:
    space, shared = read({}, f"model.channels={value}")
    (parameter,) = space.parameters
    assert parameter.distribution == distribution
    assert list(parameter.texts.values()) == texts
    assert shared == []


def test_whole_networks_are_a_choice_too() -> None:
    rows = ["{kernel_size:3,channels:16}", "{kernel_size:5,channels:8}"]
    space, _ = read({"model": ", ".join(rows)})
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    assert {space.draw(study.ask(), lambda _: [])[0] for _ in range(20)} == {f"model={row}" for row in rows}


def test_a_setting_that_the_chosen_model_does_not_have_is_left_out() -> None:
    space, _ = read({"model.strided_kernel_size": "3,4", "model": "plain,strided", "model.channels": "8,16"})
    assert [one.name for one in space.parameters] == ["model", "model.strided_kernel_size", "model.channels"]
    drawn = draws(space)
    assert {one["model"] for one in drawn} == {"plain", "strided"}
    for one in drawn:
        assert ("model.strided_kernel_size" in one) == (one["model"] == "strided")
        assert one["model.channels"] in ("8", "16")


@pytest.mark.parametrize(
    ("condition", "where"),
    [
        ("model=plain", lambda one: one["model"] == "plain"),
        ("model.channels=8,16", lambda one: one["model.channels"] in ("8", "16")),
        (["model=plain", "model.channels=8"], lambda one: one["model"] == "plain" and one["model.channels"] == "8"),
    ],
)
def test_a_condition_says_where_a_parameter_is_searched(condition: Any, where: Any) -> None:
    params = {"model": "plain,strided", "model.channels": "8,16,32", "model.blocks": "range(1,5)"}
    drawn = draws(read(params, when={"model.blocks": condition})[0])
    assert {("model.blocks" in one) == bool(where(one)) for one in drawn} == {True}
    assert {"model.blocks" in one for one in drawn} == {True, False}


def test_a_parameter_that_depends_on_one_left_out_is_left_out() -> None:
    params = {"model": "plain,strided", "model.strided_kernel_size": "3,4", "model.blocks": "1,2"}
    drawn = draws(read(params, when={"model.blocks": "model.strided_kernel_size=3"})[0])
    for one in drawn:
        assert ("model.blocks" in one) == (one.get("model.strided_kernel_size") == "3")


def test_the_command_line_replaces_the_named_sweeps_lines() -> None:
    params = {"model": "plain,strided", "model.channels": "8,16", "model.strided_kernel_size": "3,4"}
    space, shared = read(params, "sweeps=search", "model=plain", "model.channels=choice(32,64)", "seed=3")
    assert shared == ["sweeps=search", "model=plain", "seed=3"]
    assert space.fixed == {"model": "plain"}
    assert {one["model.channels"] for one in draws(space)} == {"32", "64"}
    assert [one.name for one in space.without_takers(settings_of)] == ["model.strided_kernel_size"]


@pytest.mark.parametrize("model", ["plain", "strided"])
def test_a_condition_holds_for_what_is_fixed_too(model: str) -> None:
    params = {"model": "plain,strided", "model.blocks": "range(1,5)"}
    drawn = draws(read(params, f"model={model}", when={"model.blocks": "model=plain"})[0])
    assert {"model.blocks" in one for one in drawn} == {model == "plain"}


def test_of_the_same_name_the_last_one_counts() -> None:
    space, shared = read({}, "model.channels=2", "model.channels=4,8")
    assert [one.name for one in space.parameters] == ["model.channels"]
    assert space.fixed == {}
    assert shared == []


def test_what_is_worth_checking_is_every_choice_and_every_end() -> None:
    params = {"model": "plain,strided", "model.blocks": "range(1,5)", "model.strided_kernel_size": "3,4"}
    space, _ = read(params)
    assert space.models() == ["plain", "strided"]
    plain, strided = (
        {one.name: one.extremes for one in space.searched_of(model, settings_of)} for model in ("plain", "strided")
    )
    assert plain == {"model.blocks": [1, 4]}
    assert strided == {"model.blocks": [1, 4], "model.strided_kernel_size": [3, 4]}


def test_an_interrupted_proposal_keeps_what_it_has() -> None:
    space, _ = read({"model": "plain,strided", "model.channels": "interval(1,1000000)"})
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trial = study.ask()
    trial.suggest_categorical("model", ["plain", "strided"])
    study.sampler = optuna.samplers.RandomSampler(seed=1)
    again = optuna.trial.Trial(study, trial._trial_id)
    first = space.draw(again, settings_of)
    assert first[0] == f"model={trial.params['model']}"
    study.sampler = optuna.samplers.RandomSampler(seed=2)
    assert space.draw(optuna.trial.Trial(study, trial._trial_id), settings_of) == first


@pytest.mark.parametrize(
    ("arguments", "when", "message"),
    [
        ([], {}, "nothing to search"),
        (["seed=1,2"], {}, "seed=1,2: a search does not choose among seeds"),
        (["model.channels=1,2", "trainer.learning_rate=1e-3,1e-4"], {}, "only the model and its settings are searched"),
        (["model.channels=range(5,5)"], {}, "expected a rising range"),
        (["model.channels=range(5,1,-1)"], {}, "expected a rising range"),
        (["model.channels=range(1,5,0)"], {}, "expected a rising range"),
        (["model.channels=1,2"], {"model.channels": 5}, "channels: expected a condition such as model=plain"),
        (["model.channels=1,2"], {"model.channels": "a b"}, "when.model.channels: expected a condition such as"),
        (["model.channels=1,2"], {"model.channels": ["a b"]}, "or a list of them, got 'a b'"),
        (["model.channels=interval(5,5)"], {}, "expected an interval from a smaller to a larger number"),
        (["model.channels=tag(log,interval(0,5))"], {}, "both positive on a log scale"),
        (["model.channels=1,2"], {"model.blocks": "model=plain"}, "when.model.blocks: it is not searched"),
        (["model.channels=1,2"], {"model.channels": "model=plain"}, "when.model.channels: model is not searched"),
        (
            ["model.channels=1,2", "model.blocks=1,2"],
            {"model.channels": "model.blocks=1"},
            "when.model.channels: model.blocks is drawn after model.channels",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused_by_name(arguments: list[str], when: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read({}, *arguments, when=when)
    assert message in str(refused.value)
