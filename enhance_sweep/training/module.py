"""One training step: generator, objective, optimizers, and the check for divergence."""

import math
import time
from collections.abc import Mapping
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel

from enhance_sweep.data.batches import Batch, to_unit
from enhance_sweep.data.colors import changed
from enhance_sweep.losses import ContentLoss, Objective
from enhance_sweep.settings import TrainerSettings
from enhance_sweep.training import parts
from enhance_sweep.training.errors import DivergedError

#: A loss this many times its level at the start will not recover.
_EXPLOSION = 1e3
_START_STEPS = 10
#: Steps between checks of the losses: each check waits for the accelerator.
_CHECK_EVERY = 10
#: Of averaged weights: the higher, the fewer of the last steps they cover.
_DECAY = 8

Tensors = tuple[Tensor, ...] | list[Tensor]


class EnhancementModule(LightningModule):
    """A generator and its objective, with an Adam optimizer for each player: generator and, if any, discriminator.

    A step updates the generator on its batch and, where the objective has a texture term, the discriminator on another
    batch (Ignatov et al. 2017), or on the same one if the objective says `simultaneous`. `steps_done` counts such
    steps; Lightning's `global_step` counts the updates of both players.

    Args:
        generator: (N, 3, H, W) in [0, 1] to the same.
        objective: what the generator minimises.
        settings: learning rate (of both players; the highest where the schedule moves it), schedule, steps (for
            one_cycle, the length of the cycle), precision and micro-batches. bf16 computes the generator in bfloat16
            where that is safe; its norms and all losses stay in fp32. Micro-batches save memory at the cost of a second
            forward pass; the step is the same up to rounding, as losses are computed on the whole batch. With
            averaging, `result` has averaged weights.
        watch: put around each part of a step.
        teacher_weight: of what a teacher's targets add to the loss, where batches have them: the objective's terms that
            compare with a target (`Objective.comparing`), of all crops; the objective itself is of the crops with
            targets of their own.

    Raises:
        ValueError: there is a teacher, and no term compares with a target.
    """

    def __init__(
        self,
        generator: nn.Module,
        objective: Objective,
        settings: TrainerSettings,
        watch: parts.Watch = parts.unwatched,
        teacher_weight: float = 0.0,
    ) -> None:
        super().__init__()
        if teacher_weight and not objective.comparing:
            raise ValueError("a teacher needs a loss with a term that compares with a target; this loss has none")
        self.teacher_weight = teacher_weight
        self.automatic_optimization = False
        self.strict_loading = False  # checkpoints leave out frozen networks
        self.generator = generator
        self.averaged = averaged(generator) if settings.averaging else None
        self.objective = objective
        self.settings = settings
        self.watch = watch
        self.steps_done = 0
        self.losses: Mapping[str, Tensor] = {}
        self._start_levels: list[float] = []
        self._earlier_s, self._started_s = 0.0, time.monotonic()

    @property
    def result(self) -> nn.Module:
        """The network as it is scored and kept: with averaged weights, or as the last step left it."""
        return self.generator if self.averaged is None else self.averaged.module

    @property
    def max_steps(self) -> int:
        """How many steps are wanted."""
        return self.settings.max_steps

    @property
    def players(self) -> int:
        """How many optimizers each step has: 2 with a discriminator."""
        return 1 if self.objective.texture is None else 2

    @property
    def wall_s(self) -> float:
        """Seconds of training so far, including those before an interruption."""
        return self._earlier_s + time.monotonic() - self._started_s

    def on_train_start(self) -> None:
        """Start the clock."""
        self._started_s = time.monotonic()

    def configure_optimizers(self) -> tuple[list[torch.optim.Optimizer], list[LRScheduler]]:
        """Adam for each player, and a schedule for each."""
        players = [self.generator] if self.objective.texture is None else [self.generator, self.objective.texture]
        rate = self.settings.learning_rate
        optimizers = [torch.optim.Adam(player.parameters(), lr=rate, fused=True) for player in players]
        schedulers: list[LRScheduler] = []
        if self.settings.schedule == "one_cycle":
            schedulers = [
                OneCycleLR(optimizer, rate, total_steps=self.max_steps, cycle_momentum=False)
                for optimizer in optimizers
            ]
        return optimizers, schedulers  # type: ignore[return-value]

    def forward(self, input: Tensor) -> Tensor:
        """Enhance in the precision of training; the result is fp32."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.precision == "bf16"):
            enhanced: Tensor = self.generator(input)
        return enhanced.float()

    def training_step(self, batch: dict[str, Batch], batch_idx: int) -> None:
        """One step of each player, the generator first, or of both at once."""
        optimizers = self.optimizers()
        players = optimizers if isinstance(optimizers, list) else [optimizers]
        self.generator_step(batch["generator"], *players)
        if "discriminator" in batch:
            self.discriminator_step(batch["discriminator"], players[1])
        schedulers = self.lr_schedulers() or []
        for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
            scheduler.step()  # type: ignore[call-arg]
        if self.averaged is not None:
            self.averaged.update_parameters(self.generator)
        self.steps_done += 1
        self._check_for_divergence()

    def generator_step(self, batch: Batch, *optimizers: Any) -> None:
        """One step of the generator with the first optimizer; leaves the losses in `losses`.

        Where the batch has `shown_target`, the discriminator learns from the same pass, with the second optimizer.
        """
        shown_target = batch.get("shown_target")
        players = optimizers if shown_target is not None else optimizers[:1]
        if self.objective.texture is not None:
            self.objective.texture.discriminator.requires_grad_(shown_target is not None)
        with self.watch(parts.DATA):
            input, target, taught = _images(batch)
        divided = self.settings.micro_batches > 1
        with self.watch(parts.FORWARD):
            enhanced = self._enhanced_in_parts(input) if divided else self(input)
        for optimizer in players:
            optimizer.zero_grad(set_to_none=True)
        patches = batch["patches"].tolist() if "patches" in batch else None
        total, terms, gradient = self._loss(enhanced, target, taught, shown_target, patches)
        with self.watch(parts.BACKWARD):
            if divided:
                for part, its_gradient in zip(self._parts(input), self._parts(gradient), strict=True):
                    self(part).backward(its_gradient)
            else:
                enhanced.backward(gradient)
        with self.watch(parts.OPTIMIZER):
            for optimizer in players:
                optimizer.step()
        self.losses = {"total": total} | terms

    def _loss(
        self,
        enhanced: Tensor,
        target: Tensor,
        taught: Tensor | None,
        shown_target: Tensor | None,
        patches: list[int] | None,
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """The loss, its terms and its gradient to `enhanced`; the first crops alone may have targets of their own."""
        if taught is None:
            return self.objective.gradient(enhanced, target, self.watch, shown_target, patches)
        labelled = len(target)
        own_patches = None if patches is None else patches[:labelled]
        total, terms, own = self.objective.gradient(enhanced[:labelled], target, self.watch, shown_target, own_patches)
        their_patches = None if patches is None else [-1 - patch for patch in patches]
        of_taught, gradient = self.objective.taught_gradient(enhanced, taught, self.watch, their_patches)
        gradient = gradient * self.teacher_weight
        gradient[:labelled] += own
        return total + self.teacher_weight * of_taught, terms | {"taught": of_taught}, gradient

    def discriminator_step(self, batch: Batch, optimizer: Any) -> None:
        """One step of the discriminator on a batch of its own, with its optimizer; adds its loss to `losses`."""
        assert self.objective.texture is not None
        self.objective.texture.discriminator.requires_grad_(True)
        with self.watch(parts.DATA):
            input, target, _ = _images(batch)
        with self.watch(parts.DISCRIMINATOR):
            enhanced = self._enhanced_in_parts(input)
            loss = self.objective.texture.discriminator_loss(enhanced, target, batch["shown_target"])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
        with self.watch(parts.OPTIMIZER):
            optimizer.step()
        self.losses = {**self.losses, "discriminator": loss.detach()}

    def _parts(self, batch: Tensor) -> tuple[Tensor, ...]:
        return batch.chunk(self.settings.micro_batches)

    def _enhanced_in_parts(self, input: Tensor) -> Tensor:
        """The result of `forward`, without gradients."""
        with torch.no_grad():
            parts = [self(part) for part in self._parts(input)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _check_for_divergence(self) -> None:
        starting = len(self._start_levels) < _START_STEPS
        if not starting and self.steps_done % _CHECK_EVERY and self.steps_done != self.max_steps:
            return
        values = {name: float(value) for name, value in self.losses.items()}
        for name, value in values.items():
            if not math.isfinite(value):
                raise DivergedError(f"the {name} loss is {value} at step {self.steps_done}: try a lower learning rate")
        level = abs(values["total"])
        if starting:
            self._start_levels.append(level)
        elif level > _EXPLOSION * max(self._start_levels):
            raise DivergedError(
                f"the loss has exploded to {level:.3g} at step {self.steps_done}, from {max(self._start_levels):.3g} "
                "at the start: try a lower learning rate"
            )

    def kept(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Those of this module's weights that a checkpoint holds: not frozen networks', which are installed."""
        frozen = tuple(f"{name}." for name, module in self.named_modules() if isinstance(module, ContentLoss))
        return {name: weight for name, weight in weights.items() if not name.startswith(frozen)}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add this module's own state, and leave out frozen networks."""
        checkpoint["state_dict"] = self.kept(checkpoint["state_dict"])
        checkpoint["enhance_sweep"] = {
            "steps_done": self.steps_done,
            "start_levels": self._start_levels,
            "wall_s": self.wall_s,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore this module's own state."""
        self.steps_done = checkpoint["enhance_sweep"]["steps_done"]
        self._start_levels = list(checkpoint["enhance_sweep"]["start_levels"])
        self._earlier_s = checkpoint["enhance_sweep"]["wall_s"]


def _images(batch: Batch) -> tuple[Tensor, Tensor, Tensor | None]:
    """Input, target and taught target of a batch in [0, 1], their colors changed alike where the batch says so."""
    images = {name: to_unit(batch[name]) for name in ("input", "target", "taught") if name in batch}
    if "colors" in batch:
        # Crops without a target of their own come last.
        images = {name: changed(image, batch["colors"][: len(image)]) for name, image in images.items()}
    return images["input"], images["target"], images.get("taught")


def averaged(generator: nn.Module) -> AveragedModel:
    """A copy of a network whose weights follow its own as an average over the last steps.

    The average is polynomial-decay (Shamir and Zhang 2013): after t steps it covers about the last t / 9, however long
    the training will be, so that a training that goes on is the one that was longer from the start.
    """
    return AveragedModel(generator, multi_avg_fn=_average)


@torch.no_grad()
def _average(averages: Tensors, latest: Tensors, steps: Tensor | int) -> None:
    torch._foreach_lerp_(averages, latest, (_DECAY + 1) / (float(steps) + _DECAY + 1))
