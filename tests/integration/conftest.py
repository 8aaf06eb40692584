"""A person's folder of photographs, and settings that make a run take seconds."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

#: Small enough for a test, and every stage of a real run.
QUICK = [
    "model.channels=2",
    "model.blocks=1",
    "trainer.max_steps=6",
    "trainer.batch_size=2",
    "trainer.crop_size=32",
    "trainer.evaluate_at=[3]",
    "trainer.precision=fp32",
    "timing.width=48",
    "timing.height=32",
    "data.patch_size=48",
    "data.shots=1",
]


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four made-up photographs, smooth enough to be learned from."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    for name in ("beach", "forest", "market", "street"):
        noise = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        noise.resize((160, 120), Image.Resampling.BICUBIC).filter(ImageFilter.SHARPEN).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def quick(photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Overrides for a run of seconds, into folders of the test's own."""
    monkeypatch.setenv("ENHANCE_SWEEP_CACHE", str(tmp_path / "cache"))
    return [*QUICK, f"data.root={photographs}", f"runs_dir={tmp_path / 'runs'}"]
