"""Averaged weights: over which steps, and of what."""

import pytest
import torch
from torch import nn

from enhance_sweep.losses import L1Loss, Objective
from enhance_sweep.models import PlainGenerator
from enhance_sweep.settings import TrainerSettings
from enhance_sweep.training.module import EnhancementModule, averaged


@pytest.mark.parametrize("steps", [50, 400])
def test_the_average_follows_at_a_tenth_of_the_steps_however_many(steps: int) -> None:
    """Of weights that grow by one in each step, an average over the last ninth, weighted, lags by a tenth."""
    network = nn.Linear(1, 1)
    average = averaged(network)
    for step in range(steps):
        nn.init.constant_(network.weight, step)
        average.update_parameters(network)
    assert average.module.weight.item() == pytest.approx(0.9 * steps, abs=1)


def test_it_does_not_depend_on_how_long_the_training_will_be() -> None:
    ends = []
    for stop in (7, 20):
        network, weights = nn.Linear(1, 1), torch.rand(20, generator=torch.Generator().manual_seed(0))
        average = averaged(network)
        for step in range(stop):
            nn.init.constant_(network.weight, weights[step].item())
            average.update_parameters(network)
            if step == 6:
                ends.append(average.module.weight.item())
    assert ends[0] == ends[1]


@pytest.mark.parametrize("averaging", [True, False])
def test_the_result_is_the_average_if_asked_for(averaging: bool) -> None:
    torch.manual_seed(0)
    generator = PlainGenerator(3, 3, 0)
    module = EnhancementModule(
        generator, Objective({"l1": L1Loss()}, {"l1": 1.0}), TrainerSettings(averaging=averaging, learning_rate=1e-2)
    )
    assert (module.result is generator) == (not averaging)
    optimizers, _ = module.configure_optimizers()
    trained = {id(one) for group in optimizers[0].param_groups for one in group["params"]}
    assert trained == {id(one) for one in generator.parameters()}, "the average is not trained"
