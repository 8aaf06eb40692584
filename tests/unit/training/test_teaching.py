"""Learning from a teacher: the loss by its definition, and what a teacher makes of patches."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from enhance_sweep.data.batches import to_unit
from enhance_sweep.data.colors import changed
from enhance_sweep.data.pairs import DataError
from enhance_sweep.losses import ColorLoss, ContentLoss, L1Loss, MSELoss, Objective, TextureLoss, TotalVariationLoss
from enhance_sweep.models import PlainGenerator
from enhance_sweep.settings import TrainerSettings
from enhance_sweep.training.module import EnhancementModule
from enhance_sweep.training.teaching import taught

SIDE, LABELLED, CROPS = 16, 4, 6


def _batch(colors: bool = False) -> dict[str, Tensor]:
    """Six crops, the last two without a target of their own."""
    generator = torch.Generator().manual_seed(0)

    def images(count: int) -> Tensor:
        return torch.randint(0, 256, (count, 3, SIDE, SIDE), generator=generator, dtype=torch.uint8)

    batch = {"input": images(CROPS), "target": images(LABELLED), "taught": images(CROPS)}
    return batch | ({"colors": torch.rand(CROPS, 3, 3, generator=generator)} if colors else {})


def _module(objective: Objective, weight: float, **settings: Any) -> EnhancementModule:
    torch.manual_seed(0)
    return EnhancementModule(
        PlainGenerator(3, 3, 1), objective, TrainerSettings(averaging=False, **settings), teacher_weight=weight
    )


def _step(module: EnhancementModule, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The gradients of one step."""
    module.generator_step(batch, torch.optim.SGD(module.generator.parameters(), lr=0.0))
    return {name: one.grad.clone() for name, one in module.generator.named_parameters() if one.grad is not None}


def _fidelity() -> Objective:
    return Objective({"mse": MSELoss(), "l1": L1Loss(), "tv": TotalVariationLoss()}, {"mse": 5.0, "l1": 1.0, "tv": 2.0})


@pytest.mark.parametrize("colors", [False, True])
def test_the_loss_is_the_objective_and_the_weighted_terms_that_compare(colors: bool) -> None:
    batch, module = _batch(colors), _module(_fidelity(), 0.7)
    gradients = _step(module, batch)
    module.zero_grad()
    change: Callable[[Tensor], Tensor] = (
        (lambda image: changed(to_unit(image), batch["colors"][: len(image)])) if colors else to_unit
    )
    input, target, of_teacher = (change(batch[name]) for name in ("input", "target", "taught"))
    enhanced = module.generator(input)
    first = enhanced[:LABELLED]
    whole = (
        5 * (first - target).square().mean() + (first - target).abs().mean() + 2 * TotalVariationLoss()(first, target)
    )
    by_teacher = 5 * (enhanced - of_teacher).square().mean() + (enhanced - of_teacher).abs().mean()
    (whole + 0.7 * by_teacher).backward()
    assert module.losses["total"].item() == pytest.approx((whole + 0.7 * by_teacher).item(), rel=1e-5)
    assert module.losses["taught"].item() == pytest.approx(by_teacher.item(), rel=1e-5)
    for name, parameter in module.generator.named_parameters():
        assert parameter.grad is not None
        torch.testing.assert_close(gradients[name], parameter.grad, rtol=1e-3, atol=1e-6)


def test_micro_batches_change_nothing_but_rounding() -> None:
    whole, parts = (_step(_module(_fidelity(), 1.0, micro_batches=count), _batch()) for count in (1, 4))
    for name, gradient in whole.items():
        torch.testing.assert_close(parts[name], gradient, rtol=1e-3, atol=1e-6)


def test_adversarial_and_smoothing_terms_learn_nothing_from_a_teacher() -> None:
    class Flat(nn.Module):
        scale = 1.0

        def forward(self, images: Tensor) -> Tensor:
            return images

    terms = {
        "color": ColorLoss(3.0),
        "content": ContentLoss(Flat()),
        "texture": TextureLoss(SIDE),
        "total_variation": TotalVariationLoss(),
    }
    assert list(Objective(terms, dict.fromkeys(terms, 1.0)).comparing) == ["color", "content"]
    alone = Objective({"total_variation": TotalVariationLoss()}, {"total_variation": 1.0})
    with pytest.raises(ValueError, match="a term that compares with a target"):
        _module(alone, 1.0)
    _module(alone, 0.0)


def test_kept_features_of_targets_and_of_taught_targets_are_not_mixed_up() -> None:
    class Mean(nn.Module):
        scale = 1.0

        def forward(self, images: Tensor) -> Tensor:
            return images.mean(dim=(2, 3))

    batch = _batch() | {"patches": torch.arange(CROPS)}
    losses = []
    for numbered in (True, False):
        module = _module(Objective({"content": ContentLoss(Mean())}, {"content": 1.0}), 1.0)
        for _ in range(2):  # the second time features are known
            _step(module, batch if numbered else _batch())
        losses.append(float(module.losses["total"]))
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


# --- what a teacher makes of patches ----------------------------------------------------------------------------------

CPU = torch.device("cpu")


class Teacher(nn.Module):
    """Doubles light, and runs out of memory for more patches than it can."""

    def __init__(self, most: int = 1000, made: Callable[[Tensor], Tensor] = lambda images: images * 2) -> None:
        super().__init__()
        self.most, self.made = most, made
        self.batches: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > self.most:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried")
        self.batches.append(len(images))
        return self.made(images)


def _patches(count: int = 7) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (count, 5, 6, 3), dtype=np.uint8)


@pytest.mark.parametrize("most", [1000, 2, 1])
def test_what_a_teacher_makes_is_cut_and_rounded_in_smaller_batches_where_memory_is_short(most: int) -> None:
    patches, teacher = _patches(), Teacher(most)
    made = taught(teacher, patches, CPU, "t")
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(made, np.minimum(patches.astype(int) * 2, 255))
    assert max(teacher.batches) <= most
    assert sum(teacher.batches) == len(patches)


def _not_a_number(images: Tensor) -> Tensor:
    return images / 0


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        (Teacher(0), r"^teacher t needs more memory than there is for one patch of 6x5: take a smaller teacher$"),
        (Teacher(made=_not_a_number), r"^teacher t gives values that are not numbers: take another teacher$"),
        (Teacher(made=lambda i: i[..., 1:]), r"^teacher t: expected images of the patches' size, \(7, 3, 5, 6\), got"),
        (Teacher(made=lambda i: i @ i), r"^teacher t cannot enhance patches of 6x5: .+$"),
    ],
)
def test_a_teacher_that_cannot_teach_says_why_in_a_line(teacher: nn.Module, message: str) -> None:
    with pytest.raises(DataError, match=message):
        taught(teacher, _patches(), CPU, "t")
