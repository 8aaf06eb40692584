"""Others' weights, scored and timed like networks that were trained here."""

from pathlib import Path

import numpy as np
import pytest
import torch

from enhance_sweep.config import ConfigError, compose_settings
from enhance_sweep.models import SeparableGenerator
from enhance_sweep.records import load_records
from enhance_sweep.sweep.generator_file import load_generator
from enhance_sweep.sweep.plan import plan_variant
from enhance_sweep.sweep.variant import run_variant

NETWORK = ["model=separable", "model.channels=3", "model.contrast=1.2", "stages=[train,evaluate]"]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Numbered arrays, as the challenge's networks came."""
    torch.manual_seed(1)
    network, arrays = SeparableGenerator(channels=3, contrast=1.2), {}
    convolutions = norms = 0
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.normal_(layer.weight, std=0.1)
            arrays |= {f"W{convolutions}": layer.weight, f"b{convolutions}": layer.bias}
            convolutions += 1
        elif type(layer).__name__ == "InstanceNorm2d":
            for values in (layer.bias, layer.weight):
                arrays[f"norm_{norms}" if norms else "norm"] = values
                norms += 1
    np.savez(tmp_path / "others.npz", **{name: value.detach().numpy() for name, value in arrays.items()})
    return tmp_path / "others.npz"


@pytest.fixture
def overrides(quick: list[str]) -> list[str]:
    """Quick ones, but of this network."""
    return [*(one for one in quick if not one.startswith("model")), *NETWORK]


def test_they_are_scored_without_a_step_and_once(overrides: list[str], archive: Path, tmp_path: Path) -> None:
    settings = compose_settings([*overrides, f"weights={archive}"])
    outcome = run_variant(settings)
    assert outcome["status"] == "completed", outcome
    assert run_variant(settings)["stages"] == []
    (row,) = load_records(tmp_path / "runs").to_dict("records")
    assert (row["steps"], row["seed"], row["status"]) == (0, "published", "completed")
    assert row["psnr_db"] > 0
    plan = plan_variant(settings)
    record = plan.trained_record()
    assert record is not None
    assert record.learned_from["weights"] == "others.npz"
    assert record.validation is not None
    assert record.validation.psnr_db is not None
    kept = load_generator(plan.folder / "generator.pt")
    with np.load(archive) as weights:
        np.testing.assert_array_equal(kept.state_dict()["output.weight"].numpy(), weights["W4"])


def test_values_that_are_not_numbers_are_refused(overrides: list[str], archive: Path) -> None:
    with np.load(archive) as weights:
        damaged = {name: weights[name] for name in weights}
    damaged["W2"][0] = np.nan
    np.savez(archive, **damaged)
    with pytest.raises(ConfigError, match=r"weights: .*others\.npz: blocks\.0\.branch\.0\.weight holds values"):
        plan_variant(compose_settings([*overrides, f"weights={archive}"]))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["weights=nowhere.npz"], r"weights: no file of weights at nowhere\.npz"),
        (["weights={archive}", "model.channels=4"], r"expected shape \(4, 3, 1, 7\), got \(3, 3, 1, 7\)"),
        (["weights={archive}", "model.blocks=2"], "expected 7 convolutions, as the network has, got 5"),
        (["weights={archive}", "teacher.network=x"], "published weights learn from no teacher"),
    ],
)
def test_what_cannot_be_taken_is_said_before_anything_is_computed(
    overrides: list[str], archive: Path, more: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        plan_variant(compose_settings([*overrides, *(one.format(archive=archive) for one in more)]))
