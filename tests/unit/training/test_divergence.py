"""What counts as a training that diverged."""

import pytest
import torch
from torch import nn

from enhance_sweep.losses import MSELoss, Objective
from enhance_sweep.settings import TrainerSettings
from enhance_sweep.training.errors import DivergedError
from enhance_sweep.training.module import EnhancementModule


def test_a_loss_that_explodes_is_divergence_too() -> None:
    objective = Objective({"mse": MSELoss()}, {"mse": 1.0})
    training = EnhancementModule(nn.Identity(), objective, TrainerSettings(max_steps=50))
    for step in range(1, 11):
        training.steps_done = step
        training.losses = {"total": torch.tensor(1.0)}
        training._check_for_divergence()
    training.steps_done, training.losses = 20, {"total": torch.tensor(999.0)}
    training._check_for_divergence()
    training.losses = {"total": torch.tensor(1001.0)}
    with pytest.raises(DivergedError, match="exploded to 1e\\+03 at step 20, from 1 at the start"):
        training._check_for_divergence()
