"""A person's folder of photographs, and settings that make a run take seconds."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import setup_globals
from PIL import Image, ImageFilter

from enhance_sweep import config as configuration
from enhance_sweep.search.sweeper import search_variants
from tests.integration.search_launchers import PretendLauncher, QuickLoader

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


SEARCH_SPACE = {
    "model": "choice(plain, strided)",
    "model.channels": "range(2, 9)",
    "model.blocks": "choice(0, 1, 2)",
    "model.strided_kernel_size": "choice(3, 4)",
}
SEARCH_RUNGS = ["trainer.schedule=constant", "trainer.max_steps=8", "search.first_rung=2", "trainer.evaluate_at=[]"]


@pytest.fixture
def start(quick: list[str], tmp_path: Path) -> Iterator[Callable[..., PretendLauncher]]:
    """Search with a launcher that only pretends; returns it."""
    shared = [one for one in quick if not one.startswith(("model.", "trainer.evaluate_at", "trainer.max_steps"))]
    shared += [one for one in SEARCH_RUNGS if not one.startswith("trainer.evaluate_at")]

    def search(*overrides: str, parallel_jobs: int = 1, when: dict[str, Any] | None = None, **launcher: Any) -> Any:
        setup_globals()
        configuration.register()
        GlobalHydra.instance().clear()
        arguments = [*shared, *overrides]
        fixed = [one for one in arguments if "(" not in one]
        with initialize_config_dir(str(configuration.CONF_DIR), version_base="1.3"):
            config = compose("config", overrides=fixed, return_hydra_config=True)
            loader = QuickLoader(GlobalHydra.instance().config_loader())
            pretend = PretendLauncher(config, loader, **launcher)
            search_variants(config, loader, pretend, SEARCH_SPACE, when or {}, arguments, parallel_jobs)  # type: ignore[arg-type]
        return pretend

    yield search
    GlobalHydra.instance().clear()
