"""A person's folder of photographs, packed once, networks trained once, and settings that make a run take a second."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import setup_globals
from PIL import Image, ImageFilter
from torch import nn

from enhance_sweep import config as configuration
from enhance_sweep.config import compose_settings
from enhance_sweep.models.description import describe
from enhance_sweep.search.sweeper import search_variants
from enhance_sweep.sweep import plan
from enhance_sweep.sweep.plan import plan_variant
from enhance_sweep.sweep.variant import run_variant
from tests.integration.browser import CHROMIUM
from tests.integration.search_launchers import PretendLauncher, QuickLoader

#: Small enough for a test, and every stage of a real run.
QUICK = [
    "model.channels=2",
    "model.blocks=1",
    "trainer.start=dped_code",  # two channels carry no photograph
    "trainer.max_steps=6",
    "trainer.batch_size=2",
    "trainer.crop_size=32",
    "trainer.evaluate_at=[3]",
    "trainer.precision=fp32",
    "timing.width=48",
    "timing.height=32",
    "data.patch_size=48",
    "data.shots=1",
    "pictures=false",
]
#: A search decides these itself.
NOT_FOR_A_SEARCH = ("trainer.evaluate_at", "trainer.max_steps", "pictures")


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what is made once for all tests: pytest-xdist's workers share it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "made-once"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def photographs(made_once: Path) -> Path:
    """Four made-up photographs, smooth enough to be learned from."""
    folder = made_once / "photographs"
    with FileLock(made_once / "photographs.lock"):
        if not folder.exists():
            folder.mkdir()
            rng = np.random.default_rng(0)
            for name in ("beach", "forest", "market", "street"):
                noise = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
                noise.resize((160, 120), Image.Resampling.BICUBIC).filter(ImageFilter.SHARPEN).save(
                    folder / f"{name}.png"
                )
    return folder


@pytest.fixture
def cache(made_once: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the photographs are packed, by whichever test comes first."""
    monkeypatch.setenv("ENHANCE_SWEEP_CACHE", str(made_once / "cache"))
    return made_once / "cache"


@pytest.fixture
def quick(photographs: Path, cache: Path, tmp_path: Path) -> list[str]:
    """Overrides for a run of a second, into a folder of the test's own."""
    return [*QUICK, f"data.root={photographs}", f"runs_dir={tmp_path / 'runs'}"]


@pytest.fixture(scope="session")
def trained_networks(made_once: Path, photographs: Path) -> dict[str, Path]:
    """Folders of a plain and a strided network in two folders of runs, trained once: copy what you change."""
    folders = {}
    for topology in ("plain", "strided"):
        its = [one for one in QUICK if topology == "plain" or not one.startswith("model.blocks")]
        runs = made_once / f"runs-{topology}"
        its += [f"data.root={photographs}", f"runs_dir={runs}", "stages=[train,evaluate]"]
        settings = compose_settings([f"model={topology}", *its])
        with pytest.MonkeyPatch.context() as patch, FileLock(made_once / f"{topology}.lock"):
            patch.setenv("ENHANCE_SWEEP_CACHE", str(made_once / "cache"))
            run_variant(settings)
            folders[topology] = plan_variant(settings).folder
    return folders


@pytest.fixture
def trained(trained_networks: dict[str, Path], tmp_path: Path) -> Path:
    """The folder of a trained plain network, in the test's own folder of runs."""
    shutil.copytree(trained_networks["plain"].parents[1], tmp_path / "runs")
    return tmp_path / "runs" / "trained" / trained_networks["plain"].name


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """For `tests.integration.browser.opened`."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (Debian: apt install chromium)")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


SEARCH_SPACE = {
    "model": "choice(plain, strided)",
    "model.channels": "range(2, 9)",
    "model.blocks": "choice(0, 1, 2)",
    "model.strided_kernel_size": "choice(3, 4)",
}
SEARCH_RUNGS = ["trainer.schedule=constant", "trainer.max_steps=8", "search.first_rung=2", "trainer.evaluate_at=[]"]


_described: dict[str, dict[str, Any]] = {}


def _describe_once(generator: nn.Module) -> dict[str, Any]:
    """Half of what a plan costs; the same networks come again and again."""
    if str(generator) not in _described:
        _described[str(generator)] = describe(generator)
    return dict(_described[str(generator)])


@pytest.fixture
def start(quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Search with a launcher that only pretends; returns it."""
    monkeypatch.setattr(plan, "describe", _describe_once)
    shared = [one for one in quick if not one.startswith(("model.", *NOT_FOR_A_SEARCH))]
    shared += [one for one in SEARCH_RUNGS if not one.startswith("trainer.evaluate_at")]

    def search(
        *overrides: str,
        parallel_jobs: int = 1,
        when: dict[str, Any] | None = None,
        families: list[str] | None = None,
        known: list[dict[str, Any]] | None = None,
        **launcher: Any,
    ) -> Any:
        setup_globals()
        configuration.register()
        GlobalHydra.instance().clear()
        arguments = [*shared, *overrides]
        fixed = [one for one in arguments if "(" not in one]
        with initialize_config_dir(str(configuration.CONF_DIR), version_base="1.3"):
            loader = QuickLoader(GlobalHydra.instance().config_loader())
            config = loader.load(fixed)
            pretend = PretendLauncher(config, loader, **launcher)
            space = {} if families else SEARCH_SPACE
            search_variants(config, loader, pretend, space, when or {}, arguments, parallel_jobs, families, known)  # type: ignore[arg-type]
        return pretend

    yield search
    GlobalHydra.instance().clear()
