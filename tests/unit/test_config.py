"""What configurations are refused, and how each is named."""

from pathlib import Path

import pytest
from hydra.errors import HydraException

from enhance_sweep.config import (
    CONF_DIR,
    ConfigError,
    arguments,
    build,
    check,
    compose_config,
    compose_settings,
    resolved,
    search_ranges,
    settings_from,
)
from enhance_sweep.models import StridedGenerator
from enhance_sweep.records.keys import architecture_of
from enhance_sweep.settings import Settings


@pytest.mark.parametrize("group", ["model", "data", "loss", "content", "timing", "runtime", "recipe"])
def test_every_choice_composes_and_fits_its_class(group: str) -> None:
    choices = sorted(path.stem for path in (CONF_DIR / group).glob("*.yaml"))
    assert choices
    for choice in choices:
        check(compose_settings([f"{group}={choice}"]))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.channels=wide"], "model.channels: expected int, got 'wide'"),
        (["model.channels=16.5"], "model.channels: expected int, got 16.5"),
        (["model.prelu=1"], "model.prelu: expected bool, got 1"),
        (["model.channels=null"], "model.channels: expected int, got None"),
        (["+model.strided_kernel_size=4"], "model.strided_kernel_size: model=plain has no such setting; it has kernel"),
        (
            ["~model.channels", "model=strided", "+loss.terms.mse.power=3"],
            "loss.terms.mse.power: .* has no such setting",
        ),
        (["loss=paper", "loss.terms.texture.reduction=max"], "reduction: expected one of mean, sum, got 'max'"),
        (["model._target_=enhance_sweep.models.Missing"], "model._target_: 'enhance_sweep.models.Missing' cannot be"),
        (["trainer.max_steps=0"], "trainer.max_steps: expected at least 1, got 0"),
        (["trainer.crop_size=1"], "trainer.crop_size: expected at least 2, got 1"),
        (["trainer.learning_rate=-1"], "trainer.learning_rate: expected a positive number"),
        (["trainer.learning_rate=nan"], "trainer.learning_rate: expected a positive number"),
        (["trainer.precision=fp8"], "trainer.precision: expected one of auto, fp32, bf16, got 'fp8'"),
        (["trainer.schedule=cosine"], "trainer.schedule: expected one of constant, one_cycle"),
        (["trainer.evaluate_at=[0]"], "trainer.evaluate_at: expected steps of at least 1"),
        (["seed=-1"], "seed: expected 0 to 4294967295, got -1"),
        (["stages=[trian]"], "stages: expected one of train, evaluate, time, got 'trian'"),
        (["timing.samples=1"], "timing.samples: expected at least 3, got 1"),
    ],
)
def test_wrong_values_are_named(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check(compose_settings(overrides))


@pytest.mark.parametrize(
    "override",
    ["model.strided_kernel_size=4", "trainer.steps=3", "trainer.max_steps=many", "seed=x", "model=round", "sead=1"],
)
def test_unknown_names_and_untyped_values_are_refused_by_hydra(override: str) -> None:
    with pytest.raises(HydraException, match=override.partition("=")[0].rpartition(".")[2]):
        compose_config([override])


def test_build_makes_what_the_yaml_says() -> None:
    settings = compose_settings(["model=strided", "model.channels=4", "model.prelu=true"])
    generator = build(settings.model, "model")
    assert isinstance(generator, StridedGenerator)
    assert generator.head[0].out_channels == 4


def test_build_names_the_place_of_what_a_class_refuses() -> None:
    with pytest.raises(ConfigError, match="model: channels: expected at least 1, got 0"):
        build(compose_settings(["model.channels=0"]).model, "model")


@pytest.mark.parametrize(
    ("preset", "weights", "texture", "sigma", "amplitude"),
    [
        ("paper", {"content": 1.0, "texture": 0.4, "color": 0.1, "total_variation": 400.0}, "mean", 3.0, 0.053),
        ("dped_code", {"content": 10.0, "texture": 1.0, "color": 0.5, "total_variation": 2000.0}, "sum", 4.707, None),
    ],
)
def test_loss_presets_have_the_papers_and_the_codes_weights_and_reductions(
    preset: str, weights: dict[str, float], texture: str, sigma: float, amplitude: float | None
) -> None:
    loss = compose_settings([f"loss={preset}"]).loss
    assert loss["weights"] == weights
    assert loss["terms"]["texture"]["reduction"] == texture
    assert (loss["terms"]["color"]["sigma"], loss["terms"]["color"]["amplitude"]) == (sigma, amplitude)


#: How the paper trains (de Stoutz et al. 2018, Section 4; what it leaves open is the DPED code's).
THE_PAPERS = {
    "max_steps": 25_000,
    "batch_size": 50,
    "crop_size": 100,
    "learning_rate": 5e-4,
    "schedule": "constant",
    "start": "dped_code",
    "averaging": False,
    "augment": False,
    "precision": "fp32",
}


@pytest.mark.parametrize(
    ("overrides", "topology", "different"),
    [
        ("recipe=paper", "plain", {}),
        ("recipe=paper data=dped", "plain", {}),
        ("recipe=paper sweeps=table1", "plain", {}),
        ("sweeps=table2 recipe=paper", "strided", {}),
        ("recipe=paper_pick", "strided", {"max_steps": 40_000}),
        ("sweeps=table1 recipe=paper_pick", "plain", {"max_steps": 40_000}),
        ("recipe=paper trainer.max_steps=100 trainer.augment=true", "plain", {"max_steps": 100, "augment": True}),
        ("trainer.learning_rate=1e-3 recipe=paper", "plain", {"learning_rate": 1e-3}),
        ("recipe=paper_pick model=plain trainer.max_steps=7", "plain", {"max_steps": 7}),
    ],
)
def test_a_recipe_fixes_how_to_train_and_the_command_line_wins(
    overrides: str, topology: str, different: dict[str, object]
) -> None:
    settings = compose_settings(overrides.split())
    check(settings)
    trainer = vars(settings.trainer)
    assert {name: trainer[name] for name in THE_PAPERS} == THE_PAPERS | different
    assert settings.model["name"] == topology
    assert settings.loss["name"] == "paper"
    assert settings.loss["terms"]["content"]["features"]["name"] == settings.content["name"] == "vgg19"
    # The last step is always scored; between, the curve goes on to the end.
    assert {19_200, 38_400} <= set(settings.trainer.evaluate_at)


def test_the_papers_pick_is_the_recipes_network() -> None:
    model = compose_settings(["recipe=paper_pick"]).model
    numbers = {"kernel_size": 3, "strided_kernel_size": 4, "channels": 16, "blocks": 2, "prelu": False}
    assert {name: model[name] for name in numbers} == numbers


def test_a_loss_and_a_content_network_of_the_command_line_win_over_the_recipes() -> None:
    settings = compose_settings(["recipe=paper", "loss=dped_code", "content=efficientnet_lite0"])
    assert settings.loss["name"] == "dped_code"
    assert settings.loss["terms"]["content"]["features"]["name"] == "efficientnet_lite0"
    assert settings.trainer.max_steps == 25_000


@pytest.mark.parametrize(("sweep", "file"), [("table1", "table1.csv"), ("table2", "table2.csv")])
def test_named_sweeps_are_the_papers_rows(sweep: str, file: str, shared: Path) -> None:
    import csv

    import yaml

    rows = compose_settings([f"sweeps={sweep}", "hydra.mode=MULTIRUN"])  # composes: its group overrides are in place
    fixed = yaml.safe_load((CONF_DIR.parent / "sweeps" / f"{sweep}.yaml").read_text())["hydra"]["sweeper"]["params"]
    ours = {tuple(sorted(row.items())) for row in yaml.safe_load(f"[{fixed['model']}]")}
    with (shared / "reference" / file).open() as published:
        wanted = set()
        for row in csv.DictReader(published):
            numbers = {
                name: int(row[name]) for name in ("kernel_size", "strided_kernel_size", "channels") if name in row
            }
            blocks = int(row.get("blocks", 2))
            wanted.add(tuple(sorted((numbers | {"blocks": blocks, "prelu": row.get("prelu") == "yes"}).items())))
    assert ours == wanted
    assert set(dict(next(iter(ours)))) == set(architecture_of(rows.model)) - {"topology"}


def test_the_ranges_of_a_search_are_no_setting_of_the_model() -> None:
    config = compose_config(["model=plain"])
    assert search_ranges(config)["channels"].startswith("choice(8, ")
    assert search_ranges(compose_config(["model=srcnn"])) is None
    settings = settings_from(config)
    for model in (settings.model, resolved(config, "model")):
        assert set(arguments(model)) == {"kernel_size", "channels", "blocks", "prelu", "global_color"}
        assert "search" not in model
    with_ranges = settings.model | {"search": {"channels": "8,16"}}
    assert architecture_of(with_ranges) == architecture_of(settings.model)
    check(Settings(**(vars(settings) | {"model": with_ranges})))
    assert build(with_ranges, "model").head[0].out_channels == settings.model["channels"]
