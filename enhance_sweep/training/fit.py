"""Train one variant with Lightning."""

import io
import logging
import sys
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning import Callback, Trainer, seed_everything
from pytorch_lightning.loggers import TensorBoardLogger
from torch import nn

from enhance_sweep.data.colors import ColorChanges
from enhance_sweep.data.module import PairsDataModule
from enhance_sweep.data.pairs import Pairs
from enhance_sweep.data.taught import Lessons
from enhance_sweep.losses import Objective
from enhance_sweep.models import branches
from enhance_sweep.settings import TrainerSettings
from enhance_sweep.system import locks
from enhance_sweep.system.environment import cpu_flags
from enhance_sweep.system.signals import stopping_gently
from enhance_sweep.training.callbacks import LastCheckpoint, LossCurve, Progress, QualityCurve, WholeCheckpoints
from enhance_sweep.training.module import EnhancementModule
from enhance_sweep.training.parts import DATA, Watch, unwatched

CHECKPOINT_FILE = "last.ckpt"
LOSSES_FILE = "losses.csv"


@dataclass(frozen=True)
class Fitted:
    """What a finished training leaves.

    Attributes:
        generator: on the CPU.
        steps: of the generator, in all.
        quality: rows of step and scores, on the validation pairs; empty where there are none.
        wall_s: seconds of training in all, curves and checkpoints included.
    """

    generator: nn.Module
    steps: int
    quality: list[dict[str, float]]
    wall_s: float


def resolve_precision(precision: str, accelerator: str) -> str:
    """`auto` becomes bf16 where that is faster (GPUs with bf16 arithmetic, processors with AMX), else fp32.

    AVX512-BF16 alone makes a training step 1.3 to 1.5 times slower than fp32 (docs/decisions/training-precision.md).
    """
    if precision != "auto":
        return precision
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if "amx_bf16" in cpu_flags() else "fp32"


def trains_on_processor(accelerator: str) -> bool:
    """Whether training with `accelerator` runs on the CPU of this machine."""
    gpu = torch.cuda.is_available() or torch.backends.mps.is_available()
    return accelerator == "cpu" or (accelerator == "auto" and not gpu)


def check_accelerator(accelerator: str) -> None:
    """Raise a `ValueError` that says what to do unless this machine has the accelerator."""
    available = {
        "auto": True,
        "cpu": True,
        "gpu": torch.cuda.is_available() or torch.backends.mps.is_available(),
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if accelerator not in available:
        raise ValueError(f"expected one of {', '.join(available)}, got {accelerator!r}")
    if not available[accelerator]:
        raise ValueError(
            f"{accelerator} is not available with this torch build: take auto or cpu, or install another build"
        )


def fit(
    generator: nn.Module,
    objective: Objective,
    pairs: Pairs,
    folder: Path,
    settings: TrainerSettings,
    *,
    seed: int,
    name: str,
    watch: Watch = unwatched,
    note: Callable[[int, int], None] = lambda step, steps: None,
    callbacks: Sequence[Callback] = (),
    curves: Collection[str] = ("psnr_db", "ms_ssim"),
    lessons: Lessons | None = None,
) -> Fitted:
    """Train a generator, from the checkpoint in `folder` if there is one.

    Leaves `last.ckpt`, `losses.csv` and TensorBoard's files in `folder`.

    Args:
        generator: (N, 3, H, W) in [0, 1] to the same.
        objective: what it minimises.
        pairs: what it learns from; the validation pairs are for the curve of quality.
        folder: of the variant.
        settings: how to train; the precision is fp32 or bf16.
        seed: of batches and augmentation.
        name: of the variant, for people.
        watch: put around each part of a step.
        note: called after each step with the steps done and wanted.
        callbacks: run after this function's own.
        curves: the measures of the curve of quality; its last step has all that there are.
        lessons: what a teacher made of the training patches, and of photographs without partners; None without one.

    Raises:
        DivergedError: the loss is no longer a number, or has exploded.
        DataError: the crop is larger than the patches.
        NoSpaceError: the disk is full; the previous checkpoint is intact.
        StoppedError: this process was asked to stop; a checkpoint has been saved.
    """
    if settings.reparameterise:
        branches.grow(generator)
    module = EnhancementModule(
        generator.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        objective,
        settings,
        watch,
        teacher_weight=0.0 if lessons is None else lessons.weight,
    )
    data = _data(module, pairs, seed, lessons)
    quality = QualityCurve(pairs.validation, settings.evaluate_at, curves)
    checkpoint = folder / CHECKPOINT_FILE
    _set_aside_unusable(checkpoint, module, name)
    with locks.claimed_gpu(settings.accelerator) as devices, _quiet_lightning(), stopping_gently() as asked:
        last = LastCheckpoint(checkpoint, asked, note)
        # The checkpoint comes after those whose state it keeps.
        losses = LossCurve(folder / LOSSES_FILE)
        own = [Progress(name), losses, quality, last]
        trainer = _trainer(folder, settings, module.players, devices, [*own, *callbacks])
        start = str(checkpoint) if checkpoint.exists() else None
        trainer.fit(module, datamodule=data, ckpt_path=start, weights_only=True)
    losses.write()  # also where the checkpoint had all steps already, and nothing was left to train
    result = module.result.cpu()
    branches.fold(result)
    return Fitted(result, module.steps_done, quality.rows, round(module.wall_s, 3))


def _data(module: EnhancementModule, pairs: Pairs, seed: int, lessons: Lessons | None) -> PairsDataModule:
    return PairsDataModule(
        pairs.train if lessons is None else lessons.train,
        module.settings.batch_size,
        module.settings.crop_size,
        module.settings.augment,
        ColorChanges(
            module.settings.permute_channels,
            module.settings.channel_gains_ev,
            module.settings.saturation,
            module.settings.exposure_ev,
        ),
        seed,
        discriminator=module.players == 2,
        simultaneous=module.objective.simultaneous,
        around=partial(module.watch, DATA),
        unlabelled=None if lessons is None else lessons.unlabelled,
        unlabelled_crops=0 if lessons is None else lessons.unlabelled_crops,
    )


def _trainer(folder: Path, settings: TrainerSettings, players: int, devices: Any, callbacks: list[Callback]) -> Trainer:
    return Trainer(
        max_steps=settings.max_steps * players,  # Lightning counts the steps of every optimizer
        max_epochs=-1,
        accelerator=settings.accelerator,
        devices=devices,
        # One process trains one variant, whatever started it: ignore Slurm's variables.
        plugins=[LightningEnvironment(), WholeCheckpoints()],
        logger=TensorBoardLogger(folder, name="tensorboard", version=""),
        callbacks=callbacks,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
    )


def _set_aside_unusable(checkpoint: Path, module: EnhancementModule, name: str) -> None:
    """Rename an unusable checkpoint, and say so: training starts over, with the same result.

    A disk that lost acknowledged writes leaves one, or a copy that was cut short.
    """
    if not checkpoint.exists():
        return
    content = io.BytesIO(checkpoint.read_bytes())  # outside of try: an error here is the disk's
    try:
        stored = torch.load(content, map_location="cpu", weights_only=True)["state_dict"]
        shapes = {name: value.shape for name, value in stored.items()}
    except Exception:  # damage shows in many ways
        shapes = None
    if shapes != {name: value.shape for name, value in module.kept(module.state_dict()).items()}:
        aside = checkpoint.with_name(f"{checkpoint.name}.unusable")
        checkpoint.replace(aside)
        what = "damaged" if shapes is None else "of another network"
        print(f"{name}: its checkpoint is {what}: kept as {aside}; training starts over", file=sys.stderr, flush=True)


def start_from_seed(seed: int) -> None:
    """Seed everything random from here on, the initial weights above all."""
    with _quiet_lightning():
        seed_everything(seed, workers=True, verbose=False)


class _quiet_lightning:  # noqa: N801 - reads as the context it is
    """Hide Lightning's advice: this harness has taken those decisions."""

    def __enter__(self) -> None:
        self.loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning.pytorch")]
        self.levels = [logger.level for logger in self.loggers]
        for logger in self.loggers:
            logger.setLevel(logging.ERROR)
        self.warnings = warnings.catch_warnings()
        self.warnings.__enter__()
        warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning_fabric)\b")

    def __exit__(self, *error: Any) -> None:
        self.warnings.__exit__(*error)
        for logger, level in zip(self.loggers, self.levels, strict=True):
            logger.setLevel(level)
