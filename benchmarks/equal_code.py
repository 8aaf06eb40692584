"""Does other code train the same networks to the bit? `python benchmarks/equal_code.py COMMIT`.

Trains a few small networks twice, with the code of an earlier commit and with this checkout's, on one thread, and
compares weights and scores. What is equal may be named as equal in `enhance_sweep/records/code_versions.py`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import torch

ROOT = Path(__file__).resolve().parents[1]
DIGEST = "from enhance_sweep.{module} import code_digest; print(code_digest())"
#: Each topology, activation, loss with and without a discriminator, schedule, augmentation and way to make batches.
VARIANTS = (
    "model=plain model.kernel_size=3 model.channels=6 model.blocks=2",
    "model=plain model.kernel_size=4 model.channels=4 model.blocks=1 model.prelu=true trainer.augment=false",
    "model=strided model.kernel_size=3 model.strided_kernel_size=4 model.channels=4 trainer.schedule=one_cycle",
    "model=strided model.kernel_size=4 model.strided_kernel_size=3 model.channels=3 model.prelu=true loss=paper",
    "model=srcnn trainer.micro_batches=2",
    "model=plain model.channels=4 model.blocks=1 loss=paper loss.simultaneous=true",
)
COMMON = "trainer.max_steps=12 trainer.batch_size=4 trainer.crop_size=32 trainer.evaluate_at=[5] pictures=false"


def main() -> int:
    """Print a line for each network; 1 if one differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("commit", help="whose code to compare with")
    parser.add_argument(
        "--other", default="", metavar="OVERRIDES", help="added to every training, such as data=dped ..."
    )
    options = parser.parse_args()
    differ = 0
    with tempfile.TemporaryDirectory() as folder:
        earlier = Path(folder) / "earlier"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(earlier), options.commit], check=True)
        try:
            digests = [digest_of(earlier), digest_of(ROOT)]
            print(f"{digests[0]} ({options.commit}) and {digests[1]} (this checkout)")
            for number, variant in enumerate(VARIANTS):
                runs = [Path(folder) / f"{name}{number}" for name in ("earlier", "now")]
                for code, runs_dir in zip((earlier, ROOT), runs, strict=True):
                    train(code, f"{variant} {COMMON} {options.other}", runs_dir)
                different = difference(*runs)
                differ += different is not None
                print(f"{'different' if different else 'equal'}: {variant}{f' ({different})' if different else ''}")
        finally:
            subprocess.run([*git, "remove", "--force", str(earlier)], check=True)
    return 1 if differ else 0


def digest_of(code: Path) -> str:
    """What a checkout calls its code."""
    module = "sweep.code_digest" if (code / "enhance_sweep" / "sweep").is_dir() else "code_digest"
    return run(code, "-c", DIGEST.format(module=module)).strip()


def train(code: Path, overrides: str, runs_dir: Path) -> None:
    """Train and score one network with a checkout's code."""
    run(code, "-m", "enhance_sweep", *overrides.split(), "stages=[train,evaluate]", f"runs_dir={runs_dir}")


def run(code: Path, *arguments: str) -> str:
    """What a Python process prints that has a checkout's code, on one thread."""
    surroundings = os.environ | {"PYTHONPATH": str(code), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], env=surroundings, cwd=code, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(arguments)} in {code} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def difference(earlier: Path, now: Path) -> str | None:
    """What is different between two folders of one training; None where nothing is."""
    folders = [sorted((runs / "trained").iterdir()) for runs in (earlier, now)]
    if [folder.name for folder in folders[0]] != [folder.name for folder in folders[1]]:
        return "its key"
    (first,), (second,) = folders
    scores = [pd.read_csv(folder / "scores.csv") for folder in (first, second)]
    both = [name for name in scores[0] if name in scores[1]]  # later code has more measures
    if not scores[0][both].equals(scores[1][both]):
        return "its scores"
    weights = [torch.load(folder / "generator.pt", weights_only=True)["state_dict"] for folder in (first, second)]
    if weights[0].keys() != weights[1].keys():
        return "the names of its weights"
    unequal = [name for name in weights[0] if not torch.equal(weights[0][name], weights[1][name])]
    return f"{len(unequal)} of {len(weights[0])} tensors" if unequal else None


if __name__ == "__main__":
    sys.exit(main())
