"""Train one variant: everything that Lightning needs, put together."""

import io
import logging
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning import Callback, Trainer, seed_everything
from pytorch_lightning.loggers import TensorBoardLogger
from torch import nn

from enhance_sweep.data.module import PairsDataModule
from enhance_sweep.data.pairs import Pairs
from enhance_sweep.system import locks
from enhance_sweep.system.environment import cpu_flags
from enhance_sweep.system.signals import stopping_gently
from enhance_sweep.training.callbacks import LastCheckpoint, LossCurve, Progress, QualityCurve, WholeCheckpoints
from enhance_sweep.training.module import EnhancementModule
from enhance_sweep.training.parts import DATA, Watch, unwatched

CHECKPOINT_FILE = "last.ckpt"
LOSSES_FILE = "losses.csv"
_CHECKPOINT_EVERY_STEPS = 100
_CHECKPOINT_EVERY_S = 30.0


@dataclass(frozen=True)
class Fitted:
    """What a finished training leaves.

    Attributes:
        generator: on the CPU.
        steps: steps of the generator it has had, in all.
        quality: rows of step, psnr_db and ms_ssim, of the steps before the last.
        wall_s: seconds of training, curves and checkpoints included, in all.
    """

    generator: nn.Module
    steps: int
    quality: list[dict[str, float]]
    wall_s: float


def resolve_precision(precision: str, accelerator: str) -> str:
    """`auto` becomes bf16 where that is faster: on GPUs that compute in it, and on processors with AMX; else fp32.

    AVX512-BF16 alone makes a training step 1.3 to 1.5 times slower than fp32 (docs/decisions/training-precision.md).
    """
    if precision != "auto":
        return precision
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if "amx_bf16" in cpu_flags() else "fp32"


def trains_on_processor(accelerator: str) -> bool:
    """Whether this machine trains on its CPU when asked for `accelerator`."""
    gpu = torch.cuda.is_available() or torch.backends.mps.is_available()
    return accelerator == "cpu" or (accelerator == "auto" and not gpu)


def check_accelerator(accelerator: str) -> None:
    """Raise a `ValueError` unless this machine has what is asked for, with what to do instead."""
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
            f"{accelerator} is not to be had here with this build of torch: take auto or cpu, or another build"
        )


def fit(
    generator: nn.Module,
    objective: Any,
    pairs: Pairs,
    folder: Path,
    *,
    description: str,
    max_steps: int,
    batch_size: int,
    crop_size: int,
    learning_rate: float,
    schedule: str,
    precision: str,
    accelerator: str,
    augment: bool,
    evaluate_at: Sequence[int],
    seed: int,
    micro_batches: int = 1,
    watch: Watch = unwatched,
    note: Callable[[int, int], None] = lambda step, steps: None,
    beside: Sequence[Callback] = (),
) -> Fitted:
    """Train a generator, going on from the checkpoint in `folder` if there is one.

    Leaves there `last.ckpt`, `losses.csv` and TensorBoard's files. `watch` is put around each part of a step, `note`
    is told after each how many are done of how many, and the callbacks `beside` come last.

    Raises:
        DivergedError: the loss is not a number any more, or has exploded.
        DataError: the crop is larger than the patches.
        NoSpaceError: the disk is full; the earlier checkpoint is there still.
        StoppedError: this process was asked to stop, and a checkpoint has been saved.
    """
    module = EnhancementModule(
        generator.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        objective,
        learning_rate=learning_rate,
        schedule=schedule,
        max_steps=max_steps,
        bf16=precision == "bf16",
        micro_batches=micro_batches,
        watch=watch,
    )
    data = PairsDataModule(
        pairs.train,
        batch_size,
        crop_size,
        augment,
        seed,
        discriminator=module.players == 2,
        simultaneous=objective.simultaneous,
        around=partial(watch, DATA),
    )
    quality = QualityCurve(pairs.test, list(evaluate_at))
    checkpoint = folder / CHECKPOINT_FILE
    _set_aside_what_does_not_fit(checkpoint, module, description)
    with locks.claimed_gpu(accelerator) as devices, _quiet_lightning(), stopping_gently() as asked:
        last = LastCheckpoint(checkpoint, _CHECKPOINT_EVERY_STEPS, _CHECKPOINT_EVERY_S, asked, note)
        callbacks: list[Callback] = [
            Progress(description),
            LossCurve(folder / LOSSES_FILE),
            quality,
            last,  # after those whose state it keeps
            *beside,
        ]
        trainer = Trainer(
            max_steps=max_steps * module.players,  # Lightning counts the steps of every optimizer
            max_epochs=-1,
            accelerator=accelerator,
            devices=devices,
            # One process trains one variant, whatever started it: Slurm's variables are not meant for it.
            plugins=[LightningEnvironment(), WholeCheckpoints()],
            logger=TensorBoardLogger(folder, name="tensorboard", version=""),
            callbacks=callbacks,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            log_every_n_steps=1,
        )
        trainer.fit(
            module, datamodule=data, ckpt_path=str(checkpoint) if checkpoint.exists() else None, weights_only=True
        )
    return Fitted(module.generator.cpu(), module.steps_done, quality.rows, round(module.wall_s, 3))


def _set_aside_what_does_not_fit(checkpoint: Path, module: EnhancementModule, description: str) -> None:
    """Rename a checkpoint that cannot be gone on from, and say so: the training begins again, to the same result.

    Such a one is left by a disk that lost what it had said was written, or by a copy that ended early.
    """
    if not checkpoint.exists():
        return
    content = io.BytesIO(checkpoint.read_bytes())  # what fails here is the disk, not the checkpoint
    try:
        stored = torch.load(content, map_location="cpu", weights_only=True)["state_dict"]
        shapes = {name: value.shape for name, value in stored.items()}
    except Exception:  # damage shows in as many ways as there are places for it
        shapes = None
    if shapes != {name: value.shape for name, value in module.state_dict().items()}:
        aside = checkpoint.with_name(f"{checkpoint.name}.unusable")
        checkpoint.replace(aside)
        what = "damaged" if shapes is None else "of another network"
        print(f"{description}: its checkpoint is {what}: kept as {aside}, begun again", file=sys.stderr, flush=True)


def start_from_seed(seed: int) -> None:
    """Make what is random from here on, initial weights above all, repeat with the seed."""
    with _quiet_lightning():
        seed_everything(seed, workers=True, verbose=False)


class _quiet_lightning:  # noqa: N801 - reads as the context it is
    """Keep Lightning's advice off the user's screen: this harness has taken those decisions."""

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
