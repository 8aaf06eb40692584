"""The pairs as a Lightning data module."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader

from enhance_sweep.data.batches import Batch, Batches
from enhance_sweep.data.colors import ColorChanges
from enhance_sweep.data.pairs import Split


class PairsDataModule(LightningDataModule):
    """Training batches, starting at the step that the trained module has reached.

    Args:
        split: training pairs.
        batch_size: crops in a batch.
        crop_size: their side in pixels.
        augment: flip and turn at random.
        colors: changes of color at random.
        seed: of the batches.
        discriminator: whether there is one to train.
        simultaneous: whether it shares the generator's batch.
        around: a context around drawing each step's batches.
        unlabelled: patches without partners, whose targets are a teacher's.
        unlabelled_crops: how many crops of a batch come from them.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        crop_size: int,
        augment: bool,
        colors: ColorChanges,
        seed: int,
        discriminator: bool,
        simultaneous: bool,
        around: Callable[[], AbstractContextManager[object]] = nullcontext,
        unlabelled: Split | None = None,
        unlabelled_crops: int = 0,
    ) -> None:
        super().__init__()
        self.split = split
        self.arguments = (batch_size, crop_size, augment, seed, colors)
        self.discriminator = discriminator
        self.simultaneous = simultaneous
        self.around = around
        self.unlabelled = unlabelled
        self.unlabelled_crops = unlabelled_crops

    def train_dataloader(self) -> "DataLoader[dict[str, Batch]]":
        """Whole batches, prefetched by a thread: each takes about a millisecond, too little for a worker process."""
        first_step = getattr(self.trainer.lightning_module, "steps_done", 0) if self.trainer else 0
        device = self.trainer.strategy.root_device if self.trainer else None
        batches = Batches(
            self.split,
            *self.arguments,
            first_step=first_step,
            discriminator=self.discriminator,
            simultaneous=self.simultaneous,
            device=device,
            around=self.around,
            unlabelled=self.unlabelled,
            unlabelled_crops=self.unlabelled_crops,
        )
        return DataLoader(
            batches, batch_size=None, pin_memory=device is not None and device.type == "cuda" and not batches.resident
        )
