"""Our training step does what the same step does when it is written plainly (`benchmarks/plain_step.py`)."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from enhance_sweep import config as configuration
from enhance_sweep.data.batches import Batches
from enhance_sweep.data.pairs import Pairs, Split
from enhance_sweep.losses import EfficientNetLite0Features, Objective
from enhance_sweep.settings import TrainerSettings
from enhance_sweep.training.evaluation import score
from enhance_sweep.training.fit import fit
from enhance_sweep.training.module import EnhancementModule

NETWORKS = {
    "plain": ["model=plain", "model.kernel_size=3", "model.channels=8", "model.blocks=1"],
    "strided": ["model=strided", "model.strided_kernel_size=4", "model.channels=4"],
}
BATCH, STEPS, LEARNING_RATE = 2, 3, 5e-4  # the learning rate is the plain step's


@pytest.fixture(scope="module")
def plain_step() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "plain_step.py"
    if not path.exists():
        pytest.skip("benchmarks/ is not here: it comes with a checkout only")
    spec = importlib.util.spec_from_file_location("plain_step", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def our_module(network: list[str], content: bool, **objective: Any) -> EnhancementModule:
    overrides = [*network, "loss=paper"] + ([] if content else ["~loss.terms.content", "~loss.weights.content"])
    settings = configuration.compose_settings([*overrides, "trainer.crop_size=100"])
    generator = configuration.build(settings.model, "model")
    loss = configuration.build(settings.loss, "loss")
    assert isinstance(loss, Objective)
    for name, value in objective.items():
        setattr(loss, name, value)
    trainer = TrainerSettings(max_steps=STEPS, learning_rate=LEARNING_RATE, averaging=False)
    return EnhancementModule(generator.to(memory_format=torch.channels_last), loss, trainer)


def copy_weights(source: nn.Module, to: nn.Module) -> None:
    """Both have the same layers in the same order."""
    with torch.no_grad():
        for ours, theirs in zip(to.parameters(), source.parameters(), strict=True):
            ours.copy_(theirs)


def as_one(generator: nn.Module) -> torch.Tensor:
    """The weights of its convolutions, without biases."""
    return torch.cat([one.detach().flatten() for one in generator.parameters() if one.dim() > 1])


@pytest.mark.parametrize(("topology", "content"), [("plain", True), ("strided", False), ("strided", True)])
def test_losses_and_weights_are_those_of_the_plain_step(plain_step: ModuleType, topology: str, content: bool) -> None:
    torch.manual_seed(0)
    generator = plain_step.Plain(3, 8, 1) if topology == "plain" else plain_step.Strided(3, 4, 4)
    features = EfficientNetLite0Features(scale=configuration.compose_config([]).content.scale).eval()
    theirs = plain_step.Step(generator, features.requires_grad_(False) if content else None)
    ours = our_module(NETWORKS[topology], content)
    copy_weights(generator, ours.generator)
    copy_weights(theirs.discriminator, ours.objective.texture.discriminator)
    start = as_one(ours.generator)
    optimizers, _ = ours.configure_optimizers()
    for step in range(STEPS):
        pixels = torch.randint(0, 256, (4, BATCH, 3, 100, 100), dtype=torch.uint8)
        shown = torch.rand(BATCH) < 0.5
        wanted = theirs(tuple(pixels[:2] / 255), tuple(pixels[2:] / 255), shown)
        ours.generator_step({"input": pixels[0], "target": pixels[1]}, *optimizers)
        ours.discriminator_step({"input": pixels[2], "target": pixels[3], "shown_target": shown}, optimizers[1])
        # The formulas are the same; afterwards rounding, which Adam enlarges, tells the two apart.
        assert float(ours.losses["total"]) == pytest.approx(wanted, rel=3e-3 if step else 5e-5), f"step {step}"
    # Adam moves a weight by about the learning rate each step, however small its gradient: where that is rounding, so
    # is the move, above all of a bias before a norm. So weights are looked at, and all together.
    moved, difference = (as_one(ours.generator) - other for other in (start, as_one(generator)))
    assert float(difference.norm()) < 0.25 * float(moved.norm())


def test_a_simultaneous_step_trains_both_players_from_one_batch() -> None:
    torch.manual_seed(0)
    module = our_module(NETWORKS["strided"], content=False, simultaneous=True)
    players = {"generator": module.generator, "discriminator": module.objective.texture.discriminator}
    before = {name: [one.detach().clone() for one in player.parameters()] for name, player in players.items()}
    optimizers, _ = module.configure_optimizers()
    pixels = torch.randint(0, 256, (2, 4, 3, 100, 100), dtype=torch.uint8)
    shown = torch.tensor([True, False, False, True])
    module.generator_step({"input": pixels[0], "target": pixels[1], "shown_target": shown}, *optimizers)
    assert set(module.losses) == {"total", "color", "texture", "total_variation", "discriminator"}
    for name, player in players.items():
        changed = [not torch.equal(old, new) for old, new in zip(before[name], player.parameters(), strict=True)]
        assert all(changed), name


def made_up_pairs(side: int) -> Pairs:
    """Smooth pictures, and the same with a tone curve and a color cast: something that is learned in a few steps."""
    rng = np.random.default_rng(0)
    splits = []
    for count in (24, 12):
        coarse = torch.from_numpy(rng.random((count, 3, 9, 9), dtype=np.float32))
        fine = nn.functional.interpolate(coarse, size=(side, side), mode="bicubic").clamp(0.02, 0.98)
        cast = torch.tensor([0.95, 0.85, 0.75])[:, None, None]
        input, target = (
            (images.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy() for images in (fine, cast * fine**0.6)
        )
        splits.append(Split(input, target, [str(index) for index in range(count)]))
    return Pairs("made-up", "made-up", *splits)


class Trainings:
    """`fit` with all that makes it fast, and the plain step in a plain loop, from the same weights and batches."""

    def __init__(self, plain_step: ModuleType, folder: Path, steps: int, side: int = 100) -> None:
        self.plain_step, self.folder, self.steps, self.side = plain_step, folder, steps, side
        self.pairs = made_up_pairs(side)

    def ours(self, seed: int) -> nn.Module:
        torch.manual_seed(seed)
        module = our_module(NETWORKS["strided"], content=False)
        how = {"averaging": False, "precision": "fp32", "accelerator": "cpu"}
        settings = TrainerSettings(self.steps, BATCH, self.side, LEARNING_RATE, **how)
        folder = self.folder / f"{seed}"
        return fit(module.generator, module.objective, self.pairs, folder, settings, seed=seed, name="ours").generator

    def plain(self, seed: int) -> nn.Module:
        torch.manual_seed(seed)
        start = our_module(NETWORKS["strided"], content=False)
        step = self.plain_step.Step(self.plain_step.Strided(3, 4, 4), None)
        copy_weights(start.generator, step.generator)
        copy_weights(start.objective.texture.discriminator, step.discriminator)
        items = Batches(self.pairs.train, BATCH, self.side, True, seed, discriminator=True)
        for index in range(self.steps):
            players = [items.at(index)[player] for player in ("generator", "discriminator")]
            images = [(one["input"] / 255, one["target"] / 255) for one in players]
            step(*images, players[1]["shown_target"])
        generator: nn.Module = step.generator
        return generator

    def ms_ssim(self, generator: nn.Module | None) -> float:
        return float(score(generator, self.pairs.test).means()["ms_ssim"])


def test_a_short_training_is_that_of_the_plain_loop(plain_step: ModuleType, tmp_path: Path) -> None:
    """Another seed's end is far away, and so is what a few wrong steps would leave."""
    trainings = Trainings(plain_step, tmp_path, steps=6)
    ours, plain, another = map(as_one, (trainings.ours(0), trainings.plain(0), trainings.ours(1)))
    torch.manual_seed(0)
    moved = ours - as_one(our_module(NETWORKS["strided"], content=False).generator)
    assert float((ours - plain).norm()) < 0.25 * float(moved.norm())
    assert float((another - plain).norm()) > float(moved.norm())


@pytest.mark.slow
def test_a_training_before_and_after_ends_within_the_noise_of_seeds(plain_step: ModuleType, tmp_path: Path) -> None:
    trainings = Trainings(plain_step, tmp_path, steps=60)
    by_seed = [trainings.ms_ssim(trainings.ours(seed)) for seed in range(5)]
    assert np.std(by_seed, ddof=1) > 0
    plain, untouched = trainings.ms_ssim(trainings.plain(0)), trainings.ms_ssim(None)
    assert abs(by_seed[0] - plain) < np.std(by_seed, ddof=1), (by_seed, untouched)


@pytest.mark.parametrize("simultaneous", [False, True])
def test_a_batch_in_parts_takes_the_same_step(simultaneous: bool) -> None:
    """Whatever a loss does over the batch: it sees all of it."""
    rng = np.random.default_rng(0)
    images = [torch.from_numpy(rng.integers(0, 256, (5, 3, 100, 100), dtype=np.uint8)) for _ in range(2)]
    batch: Any = {"input": images[0], "target": images[1]}
    shown: Any = {**batch, "shown_target": torch.tensor([True, False, False, True, False])}
    after = []
    for micro_batches in (1, 2, 5):
        torch.manual_seed(0)
        module = our_module(["model.channels=4", "model.blocks=1"], content=False, simultaneous=simultaneous)
        module.settings.micro_batches = micro_batches
        optimizers = module.configure_optimizers()[0]
        for _ in range(2):
            module.generator_step(shown if simultaneous else batch, *optimizers)
            if not simultaneous:
                module.discriminator_step(shown, optimizers[1])
        after.append(as_one(module.generator))
    for divided in after[1:]:
        assert torch.allclose(divided, after[0], atol=2e-5)
