"""A search over families: parameters of their own, what the command line says of them, and known networks first."""

from collections.abc import Collection, Mapping
from typing import Any

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution, IntDistribution

from enhance_sweep.config import ConfigError
from enhance_sweep.search.families import first, known_networks, with_families
from enhance_sweep.search.space import Space, read_space

SETTINGS: dict[str | None, dict[str, Any]] = {
    "shuffled": {"factor": 2, "channels": 16, "prelu": False, "gate": "none"},
    "unet": {"channels": 8, "depth": 2, "gate": "none"},
    "tone": {"curve_terms": 4},
}
RANGES: dict[str | None, dict[str, Any]] = {
    "shuffled": {
        "factor": "choice(2, 3, 4)",
        "channels": "choice(8, 16)",
        "prelu": "choice(false, true)",
        "when": {"prelu": ["factor=2,3", "channels=8"]},
    },
    "unet": {"channels": "range(4, 13, 4)", "depth": "choice(2, 3)"},
    "tone": {},
}


def settings_of(model: str | None) -> Collection[str]:
    return SETTINGS[model]


def read(
    *arguments: str, ranges: Mapping[str | None, Mapping[str, Any]] = RANGES, params: Mapping[str, Any] | None = None
) -> Space:
    parser = OverridesParser.create()
    params = params or {"model": f"choice({','.join(map(str, ranges))})"}
    given, _ = read_space(params, {}, arguments, parser, may_be_empty=True)
    return with_families(given, {model: ranges.get(model, {}) for model in given.models()}, settings_of, parser)


def draws(space: Space, count: int = 120) -> list[dict[str, str]]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return [dict(one.split("=", 1) for one in space.draw(study.ask(), settings_of)) for _ in range(count)]


def test_each_family_has_parameters_of_its_own() -> None:
    space = read()
    assert {one.name: one.distribution for one in space.parameters} == {
        "model": CategoricalDistribution(["shuffled", "unet", "tone"]),
        "shuffled.factor": CategoricalDistribution([2, 3, 4]),
        "shuffled.channels": CategoricalDistribution([8, 16]),
        "shuffled.prelu": CategoricalDistribution([False, True]),
        "unet.channels": IntDistribution(4, 12, step=4),
        "unet.depth": CategoricalDistribution([2, 3]),
    }
    drawn = draws(space)
    assert {one["model"] for one in drawn} == {"shuffled", "unet", "tone"}
    for one in drawn:
        if one["model"] == "unet":
            assert set(one) == {"model", "model.channels", "model.depth"}
            assert one["model.channels"] in ("4", "8", "12")
        elif one["model"] == "tone":
            assert set(one) == {"model"}
        else:
            assert one["model.channels"] in ("8", "16")


def test_a_familys_conditions_name_its_own_settings() -> None:
    for one in draws(read()):
        searched = one["model"] == "shuffled" and one["model.factor"] in "23" and one["model.channels"] == "8"
        assert ("model.prelu" in one) == searched


def test_a_condition_on_a_flag_holds() -> None:
    ranges = {"shuffled": {"prelu": "choice(false, true)", "channels": "8,16", "when": {"channels": "prelu=true"}}}
    drawn = draws(read(ranges=ranges))
    assert {("model.channels" in one) == (one["model.prelu"] == "True") for one in drawn} == {True}
    assert len({"model.channels" in one for one in drawn}) == 2


def test_the_number_of_networks_counts_conditions() -> None:
    # shuffled: 3 factors with 16 channels; with 8 channels two factors have 2 and one has 1.
    assert read().size(settings_of) == (3 + 2 * 2 + 1) + 3 * 2 + 1
    seen = {tuple(sorted(one.items())) for one in draws(read(), 600)}
    assert len(seen) == 15
    assert read("model.depth=interval(1.5,2.5)").size(settings_of) is None


def test_the_command_line_chooses_families() -> None:
    space = read("model=shuffled")
    assert space.fixed == {"model": "shuffled"}
    assert {one.name for one in space.parameters} == {"shuffled.factor", "shuffled.channels", "shuffled.prelu"}
    assert {one["model"] for one in draws(read("model=unet,tone"))} == {"unet", "tone"}


def test_the_command_line_replaces_a_range_of_every_family_that_has_the_setting() -> None:
    space = read("model.channels=choice(24,32)", "model.gate=none,channel")
    names = [one.name for one in space.parameters]
    assert {"shuffled.channels", "unet.channels", "shuffled.gate", "unet.gate"} < set(names)
    assert not [name for name in names if name.startswith("tone")]
    assert len(names) == len(set(names))
    for one in draws(space):
        assert one.get("model.channels") in ((None,) if one["model"] == "tone" else ("24", "32"))
        assert ("model.gate" in one) == (one["model"] != "tone")
    # What no family has is still an error of the command line.
    (lost,) = read("model.blocks=1,2").without_takers(settings_of)
    assert (lost.name, lost.asked) == ("model.blocks", True)


def test_what_the_command_line_fixes_is_not_searched_and_decides_conditions() -> None:
    space = read("model=shuffled", "model.factor=4")
    assert {one.name for one in space.parameters} == {"shuffled.channels", "shuffled.prelu"}
    assert not [one for one in draws(space) if "model.prelu" in one]
    assert [one for one in draws(read("model=shuffled", "model.factor=3")) if "model.prelu" in one]


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"chanels": "1,2"}, "model=unet: search.chanels: unet has no such setting; it has channels, depth, gate"),
        ({"channels": 8}, "model=unet: search.channels: expected values to choose from, such as choice(8, 16), got 8"),
        ({"channels": "choice("}, "model=unet: search.channels: expected values to choose from"),
        ({"channels": "range(5, 5)"}, "model.channels=range(5, 5): expected a rising range"),
        ({"channels": "1,2", "when": {"depth": "channels=1"}}, "search.when.depth: it is not searched; searched are c"),
        ({"channels": "1,2", "when": {"channels": "depth=2"}}, "when.model.channels: model.depth is not searched"),
        (
            {"channels": "1,2", "depth": "2,3", "when": {"channels": "depth=2"}},
            "when.model.channels: model.depth is drawn after model.channels",
        ),
    ],
)
def test_ranges_that_cannot_be_searched_are_refused_by_name(own: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(ranges={"unet": own})
    assert message in str(refused.value)


# --- known networks ---------------------------------------------------------------------------------------------------


def known(space: Space, *named: Mapping[str, Any], **settings: Any) -> list[dict[str, Any]]:
    own = {model: SETTINGS[model] | settings for model in space.models()}
    return known_networks(space, own, named, settings_of)


def test_each_familys_own_settings_come_first_then_the_named() -> None:
    own = [
        {"model": "shuffled", "shuffled.factor": 2, "shuffled.channels": 16, "shuffled.prelu": False},
        {"model": "unet", "unet.channels": 8, "unet.depth": 2},
        {"model": "tone"},
    ]
    assert known(read()) == own
    named = {"model": "unet", "depth": 3}
    assert known(read(), named, named) == [*own, {"model": "unet", "unet.channels": 8, "unet.depth": 3}], "once"


def test_own_settings_outside_of_the_ranges_are_left_to_the_sampler() -> None:
    assert known(read("model.channels=choice(32,64)"))[1] == {"model": "unet", "unet.depth": 2}


def test_a_named_network_outside_of_the_space_is_left_out() -> None:
    named = {"model": "unet", "channels": 12, "depth": 3}
    for arguments in (["model=tone"], ["model.channels=choice(4,8)"], ["model.channels=4"]):
        settings = {"channels": 4} if arguments == ["model.channels=4"] else {}
        space = read(*arguments)
        assert known(space, named, **settings) == known(space, **settings)
    assert len(known(read(), named)) == len(known(read())) + 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"channels": 8}, "hydra.sweeper.known: expected a model in each network, got {'channels': 8}"),
        ({"model": "unet", "width": 8}, "hydra.sweeper.known: unet has no setting 'width'"),
    ],
)
def test_a_named_network_that_cannot_be_is_refused(row: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        known(read(), row)


def test_known_values_make_exactly_that_network() -> None:
    space = read()
    values = known(space, {"model": "shuffled", "factor": 3, "channels": 8, "prelu": True})[-1]
    random = optuna.samplers.RandomSampler(seed=0)
    trial = optuna.create_study(sampler=first([values], 0, random)).ask()
    assert first([values], 1, random) is random
    assert space.draw(trial, settings_of) == [
        "model=shuffled",
        "model.factor=3",
        "model.channels=8",
        "model.prelu=True",
    ]
