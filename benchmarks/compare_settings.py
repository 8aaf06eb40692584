"""How well networks end under different settings, over several seeds: what defaults are chosen by.

    python benchmarks/compare_settings.py --seeds 5 --case "[NAME: ]OVERRIDES" [--case ...] \\
        [--network "OVERRIDES"] [COMMON ...]

Trains every network under every case with seeds 0 to N-1, and prints for each the mean and the standard deviation
over seeds of MS-SSIM and PSNR on the test pairs, the chroma of the outputs over that of the targets, and the seconds of
training. With averaging, the weights of the last step are scored, too: the same training gives both.

A second table has the differences to the first case, paired by seed: mean and 95% interval (Student's t). Overrides
with spaces are quoted as in a shell; a case may have none: `--case "alone:"`. `--out FILE` keeps every row as CSV.
"""

import argparse
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import nn

from enhance_sweep.config import compose_settings
from enhance_sweep.data.batches import to_unit
from enhance_sweep.data.pairs import Pixels
from enhance_sweep.metrics import chroma
from enhance_sweep.stats.student import half_width
from enhance_sweep.sweep.learning import fit_plan
from enhance_sweep.sweep.plan import plan_variant
from enhance_sweep.system.environment import cpu_model, prepare_process
from enhance_sweep.training.evaluation import score
from enhance_sweep.training.module import EnhancementModule

NETWORKS = ["model=plain model.channels=16 model.blocks=2", "model=strided"]


class KeepModule(Callback):
    """Keeps the trained module, whose weights are both the last and the averaged ones."""

    module: EnhancementModule

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, EnhancementModule)
        self.module = pl_module


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--network", action="append", help=f"overrides; default: {'; '.join(NETWORKS)}")
    parser.add_argument(
        "--case", action="append", required=True, help="NAME: OVERRIDES, or overrides that name the row"
    )
    parser.add_argument("--out", type=Path, help="a CSV file for all rows, written after each training")
    parser.add_argument("common", nargs="*", help="overrides of all cases")
    given = parser.parse_args()
    cases = dict(map(named, given.case))
    rows: list[dict[str, object]] = []
    # Seeds last, so that a benchmark cut short has all cases of its first seeds.
    for seed in range(given.seeds):
        for network in given.network or NETWORKS:
            for case, its_own in cases.items():
                rows += trained([*network.split(), *given.common, *its_own], seed, network, case)
                if given.out is not None:
                    pd.DataFrame(rows).to_csv(given.out, index=False)
    frame = pd.DataFrame(rows)
    order = {name: frame[name].drop_duplicates() for name in ROW}
    frame = frame.assign(**{name: pd.Categorical(frame[name], order[name]) for name in ROW})
    table = frame.drop(columns="seed").groupby(ROW, observed=True)
    print(f"{cpu_model()}; {given.seeds} seeds; mean (standard deviation)")
    print(table.agg(lambda column: f"{column.mean():.4f} ({column.std():.4f})").to_string())
    if len(cases) > 1:
        first = next(iter(cases))
        print(f"\nDifference to {first!r}, paired by seed; mean (95% interval)")
        print(differences(frame, first).to_string())


ROW = ["network", "case", "weights"]
SCORES = ["ms_ssim", "psnr_db", "chroma ratio"]


def named(case: str) -> tuple[str, list[str]]:
    """A case's name and overrides."""
    name, colon, overrides = case.partition(":")
    is_named = bool(colon) and "=" not in name
    return (name, shlex.split(overrides)) if is_named else (case, shlex.split(case))


def differences(frame: pd.DataFrame, first: str) -> pd.DataFrame:
    """Each case's scores minus the first's, of the same network, weights and seed: mean and 95% interval."""
    keys = ["network", "weights", "seed"]
    of_first = frame[frame["case"] == first].set_index(keys)[SCORES]
    others = frame[frame["case"] != first]
    changes = others.set_index(keys)[SCORES] - of_first.reindex(others.set_index(keys).index)
    changes = changes.reset_index().assign(case=others["case"].cat.remove_unused_categories().to_numpy())
    changes["case"] = pd.Categorical(changes["case"], others["case"].cat.categories)
    return changes.groupby(ROW, observed=True)[SCORES].agg(with_interval)


def with_interval(values: "pd.Series[float]") -> str:
    """`+0.0031 (+0.0012 to +0.0050)`; without an interval of one seed."""
    mean = values.mean()
    if len(values) < 2:
        return f"{mean:+.4f}"
    half = half_width(values.to_numpy())
    return f"{mean:+.4f} ({mean - half:+.4f} to {mean + half:+.4f})"


def trained(overrides: list[str], seed: int, network: str, case: str) -> Iterator[dict[str, object]]:
    """A row for each kind of weights that one training ends with."""
    plan = plan_variant(compose_settings([*overrides, f"seed={seed}", "stages=[train,evaluate]"]))
    assert plan.pairs is not None
    keep = KeepModule()
    with tempfile.TemporaryDirectory() as folder:
        fitted = fit_plan(plan, Path(folder), callbacks=[keep])
    results = {"last": keep.module.generator.cpu()}
    if keep.module.averaged is not None:
        results["averaged"] = keep.module.result
    test = plan.pairs.test
    for weights, generator in results.items():
        means = score(generator, test, measures=("ms_ssim", "psnr_db")).means()
        ratio = pooled_chroma(test.input, generator) / pooled_chroma(test.target)
        yield {
            "network": network,
            "case": case,
            "weights": weights,
            "seed": seed,
            "ms_ssim": means["ms_ssim"],
            "psnr_db": means["psnr_db"],
            "chroma ratio": ratio,
            "seconds": fitted.wall_s,
        }


def pooled_chroma(pixels: Pixels, generator: nn.Module | None = None) -> float:
    """The chroma of images, or of what a network makes of them, pooled over all."""
    squares = []
    for start in range(0, len(pixels), 10):
        images = to_unit(torch.from_numpy(np.array(pixels[start : start + 10])).permute(0, 3, 1, 2))
        with torch.inference_mode():
            squares.append(chroma(images if generator is None else generator(images).clamp(0, 1)).square())
    return float(torch.cat(squares).mean().sqrt())


if __name__ == "__main__":
    prepare_process()
    main()
