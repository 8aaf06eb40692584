"""When checkpoints are written, so what a lost process costs and how much is written; `test_survival` has real ones."""

import itertools
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from enhance_sweep.losses import MSELoss, Objective
from enhance_sweep.models import Discriminator, PlainGenerator
from enhance_sweep.settings import TrainerSettings
from enhance_sweep.system.signals import Interruption, StoppedError
from enhance_sweep.training.callbacks import LastCheckpoint
from enhance_sweep.training.module import EnhancementModule

Train = Callable[..., list[tuple[int, float]]]


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch) -> Train:
    """Trains without arithmetic, by a clock of its own; gives the steps that were saved, and the seconds until then."""

    def pretended(steps: int, step_s: float, earlier_s: float = 0.0, stop_at: int | None = None) -> list[Any]:
        clock = SimpleNamespace(monotonic=lambda: 0.0)
        monkeypatch.setattr("enhance_sweep.training.module.time", clock)
        objective = Objective({"mse": MSELoss()}, {"mse": 1.0})
        module = EnhancementModule(nn.Identity(), objective, TrainerSettings(max_steps=steps))
        module._earlier_s = earlier_s
        module.on_train_start()
        saved: list[tuple[int, float]] = []
        trainer: Any = SimpleNamespace(save_checkpoint=lambda _: saved.append((module.steps_done, module.wall_s)))
        asked = Interruption()
        last = LastCheckpoint(Path("last.ckpt"), asked, lambda step, steps: None)
        for step in range(1, steps + 1):
            clock.monotonic = lambda elapsed=step * step_s: elapsed
            module.steps_done = step
            if step == stop_at:
                asked.signal = signal.SIGTERM
                with pytest.raises(StoppedError):
                    last.on_train_batch_end(trainer, module)
                break
            last.on_train_batch_end(trainer, module)
        return saved

    return pretended


def test_after_the_first_step_and_the_last(train: Train) -> None:
    assert [step for step, _ in train(7, step_s=0.1)] == [1, 7]
    assert [step for step, _ in train(7, step_s=0.1, earlier_s=1e4)] == [1, 7], "gone on from a checkpoint"


def test_a_stop_saves_the_step_it_is_at(train: Train) -> None:
    assert [step for step, _ in train(7, step_s=0.1, stop_at=4)] == [1, 4]


@pytest.mark.parametrize("step_s", [0.04, 1.0, 8.1])
def test_a_lost_process_costs_a_twentieth_at_least_ten_seconds_and_at_most_ten_minutes(
    train: Train, step_s: float
) -> None:
    saved = [0.0, *(trained_s for _, trained_s in train(20_000, step_s))]
    for before, after in itertools.pairwise(saved):
        assert after - before <= min(max(0.05 * after, 10), 600) + step_s + 1e-6


def test_the_baselines_training_by_the_papers_recipe_writes_as_much_as_the_documentation_says(train: Train) -> None:
    with torch.device("meta"):
        players = PlainGenerator(kernel_size=3, channels=64, blocks=4), Discriminator(patch_size=100)
    # Adam keeps two numbers for each weight.
    checkpoint_bytes = 3 * 4 * sum(weight.numel() for player in players for weight in player.parameters())
    assert checkpoint_bytes / 1e6 == pytest.approx(93, abs=0.5)
    day_s = 86_400
    a_day_later = [trained_s for _, trained_s in train(2 * day_s // 10, step_s=10.0) if trained_s > day_s]
    assert len(a_day_later) * checkpoint_bytes / 1e9 == pytest.approx(13, abs=1)
    # With EfficientNet-Lite0, as in reports/training/profile.txt; with VGG-19, as forecast.
    for step_s, written_gb in ((8.1, 39), (14.5, 61)):
        assert len(train(25_000, step_s)) * checkpoint_bytes / 1e9 == pytest.approx(written_gb, abs=2)
