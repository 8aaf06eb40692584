"""What happens beside a training: curves, checkpoints, a progress bar."""

import io
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from pytorch_lightning import Callback, LightningModule, Trainer
from tqdm import tqdm

from enhance_sweep.data.pairs import Split
from enhance_sweep.system.files import write_whole
from enhance_sweep.system.signals import Interruption
from enhance_sweep.training.evaluation import score
from enhance_sweep.training.module import EnhancementModule

_LOG_EVERY = 10


class LossCurve(Callback):
    """Losses every ten steps, to `losses.csv` and to Lightning's loggers. Kept in the checkpoint, so a resumed curve
    is whole.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, float]] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Note the losses."""
        assert isinstance(pl_module, EnhancementModule)
        if pl_module.steps_done % _LOG_EVERY == 0 or pl_module.steps_done == pl_module.max_steps:
            values = {name: float(value) for name, value in pl_module.losses.items()}
            self.rows.append({"step": pl_module.steps_done, **values})
            for logger in trainer.loggers:
                logger.log_metrics({f"loss/{name}": value for name, value in values.items()}, pl_module.steps_done)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the curve."""
        self.write()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Write the curve of a failure too: it often shows what went wrong."""
        self.write()

    def write(self) -> None:
        """The rows so far, whole."""
        write_whole(self.path, pd.DataFrame(self.rows).to_csv(index=False))

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From the checkpoint."""
        self.rows = list(state_dict["rows"])


class QualityCurve(Callback):
    """PSNR and MS-SSIM on the test pairs at fixed steps on the way; the last step's belong to the evaluation."""

    def __init__(self, split: Split, steps: list[int]) -> None:
        self.split = split
        self.steps = set(steps)
        self.rows: list[dict[str, float]] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Score the generator, if it is time."""
        assert isinstance(pl_module, EnhancementModule)
        if pl_module.steps_done in self.steps and pl_module.steps_done != pl_module.max_steps:
            means = score(pl_module.generator, self.split, pl_module.device).means()
            row = {"psnr_db": float(means["psnr_db"]), "ms_ssim": float(means["ms_ssim"])}
            self.rows.append({"step": pl_module.steps_done, **row})
            for logger in trainer.loggers:
                logger.log_metrics({f"quality/{name}": value for name, value in row.items()}, pl_module.steps_done)

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From the checkpoint."""
        self.rows = list(state_dict["rows"])


class LastCheckpoint(Callback):
    """Keep the newest state in one file: every so often, when this process is asked to stop, and at the end.

    Args:
        path: of the file.
        every_steps: how often.
        every_s: more often, where steps are slow.
        asked: whether to stop after this step.
        note: called after each step with the steps done and asked for, before anything is saved. What it raises ends
            the training.
    """

    def __init__(
        self, path: Path, every_steps: int, every_s: float, asked: Interruption, note: Callable[[int, int], None]
    ) -> None:
        self.path = path
        self.every_steps, self.every_s = every_steps, every_s
        self.asked = asked
        self.note = note
        self.saved_s = time.monotonic()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Save, if it is time."""
        assert isinstance(pl_module, EnhancementModule)
        step = pl_module.steps_done
        self.note(step, pl_module.max_steps)
        due = step % self.every_steps == 0 or time.monotonic() - self.saved_s > self.every_s
        if due or step == pl_module.max_steps or self.asked.signal is not None:
            trainer.save_checkpoint(self.path)
            self.saved_s = time.monotonic()
        self.asked.stop_if_asked()


class WholeCheckpoints(TorchCheckpointIO):
    """Checkpoints that are replaced whole, beside where they are kept; a full disk leaves the earlier one."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint. Raises `NoSpaceError` on a full disk."""
        content = io.BytesIO()
        torch.save(checkpoint, content)
        write_whole(Path(path), content.getvalue())


class Progress(Callback):
    """A bar over the steps of one variant, with the time left."""

    def __init__(self, description: str) -> None:
        self.description = description
        self.bar: tqdm[Any] | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show it."""
        assert isinstance(pl_module, EnhancementModule)
        # A terminal wants a live bar, a log file a line now and then.
        interval = 0.5 if sys.stderr.isatty() else 15.0
        self.bar = tqdm(
            total=pl_module.max_steps,
            initial=pl_module.steps_done,
            desc=self.description,
            unit="step",
            mininterval=interval,
            maxinterval=interval,
        )

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Move it."""
        if self.bar is not None:
            self.bar.update()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave it as it is."""
        self.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave it as it is."""
        self.close()

    def close(self) -> None:
        """Free the line for what comes next."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None
