"""Lightning callbacks: curves, checkpoints, a progress bar."""

import io
import sys
from collections.abc import Callable, Collection
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
#: Between checkpoints: a share of the time trained so far, and its limits in seconds.
_CHECKPOINT_SHARE, _SHORTEST_S, _LONGEST_S = 0.05, 10.0, 600.0


class _Curve(Callback):
    """Rows by step, which the checkpoint keeps."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def note(self, trainer: Trainer, kind: str, step: int, values: dict[str, float]) -> None:
        """Add a row, and tell Lightning's loggers."""
        self.rows.append({"step": step, **values})
        for logger in trainer.loggers:
            logger.log_metrics({f"{kind}/{name}": value for name, value in values.items()}, step)

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From the checkpoint."""
        self.rows = list(state_dict["rows"])


class LossCurve(_Curve):
    """Losses every ten steps, in `losses.csv` and Lightning's loggers; the checkpoint keeps them, too."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Note the losses every ten steps."""
        assert isinstance(pl_module, EnhancementModule)
        if pl_module.steps_done % _LOG_EVERY == 0 or pl_module.steps_done == pl_module.max_steps:
            values = {name: float(value) for name, value in pl_module.losses.items()}
            self.note(trainer, "loss", pl_module.steps_done, values)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Write the curve after a failure too: it often shows what went wrong."""
        self.write()

    def write(self) -> None:
        """Write the rows so far."""
        write_whole(self.path, pd.DataFrame(self.rows).to_csv(index=False))


class QualityCurve(_Curve):
    """Scores on the validation pairs, if there are any: at the start, at given steps and, all that exist, at the last.

    Args:
        split: the validation pairs.
        steps: at which to score.
        measures: the names of those of `MEASURES` that every point has.
    """

    def __init__(self, split: Split | None, steps: list[int], measures: Collection[str]) -> None:
        super().__init__()
        self.split = split
        self.steps = set(steps)
        self.measures = measures

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Score the network as it starts."""
        assert isinstance(pl_module, EnhancementModule)
        if pl_module.steps_done == 0:
            self._score(trainer, pl_module)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Score the network at a given step."""
        assert isinstance(pl_module, EnhancementModule)
        if pl_module.steps_done in self.steps or pl_module.steps_done == pl_module.max_steps:
            self._score(trainer, pl_module)

    def _score(self, trainer: Trainer, module: EnhancementModule) -> None:
        if self.split is not None:
            measures = None if module.steps_done == module.max_steps else self.measures
            scores = score(module.result, self.split, module.device, measures=measures)
            means = scores.means()
            self.note(trainer, "quality", module.steps_done, {name: means[name] for name in scores.values})


class LastCheckpoint(Callback):
    """Keeps the newest state in one file: after the first step, at intervals, when asked to stop, and at the end.

    An interval is a share of the time trained so far. A lost process costs no more, and a training of days does not
    write a file every few steps. The first step is saved so that a disk without room shows at once.

    Args:
        path: of the file.
        asked: whether to stop after this step.
        note: called after each step with the steps done and wanted, before saving. An exception from it ends the
            training.
    """

    def __init__(self, path: Path, asked: Interruption, note: Callable[[int, int], None]) -> None:
        self.path = path
        self.asked = asked
        self.note = note
        self.saved_s: float | None = None

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Save if due, and stop if asked."""
        assert isinstance(pl_module, EnhancementModule)
        step = pl_module.steps_done
        self.note(step, pl_module.max_steps)
        if self._is_due(pl_module.wall_s) or step == pl_module.max_steps or self.asked.signal is not None:
            trainer.save_checkpoint(self.path)
            self.saved_s = pl_module.wall_s
        self.asked.stop_if_asked()

    def _is_due(self, trained_s: float) -> bool:
        every_s = min(max(_CHECKPOINT_SHARE * trained_s, _SHORTEST_S), _LONGEST_S)
        return self.saved_s is None or trained_s - self.saved_s > every_s


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint whole or not at all; on a full disk the previous one stays."""

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
        """Show the bar."""
        assert isinstance(pl_module, EnhancementModule)
        # A live bar for a terminal, a line now and then for a log file.
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
        """Advance the bar."""
        if self.bar is not None:
            self.bar.update()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the bar."""
        self.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Close the bar."""
        self.close()

    def close(self) -> None:
        """Leave the bar as it is, and start a new line."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None
