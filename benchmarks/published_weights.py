"""The published baseline through our own command and scoring, held against what its authors' code computed.

    ENHANCE_SWEEP_SHARED=FOLDER python benchmarks/published_weights.py --runs DIR --run KEY --out DIR

FOLDER holds the DPED sample and `reference/golden`. Scores are those of a sweep: the same patches, the same code.
Pictures are of photographs that may be published: phone, published baseline, and KEY of `--runs`, side by side.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from enhance_sweep.data.dped import Dped
from enhance_sweep.data.packing import default_cache_dir
from enhance_sweep.data.showcase import shots
from enhance_sweep.system.environment import prepare_process
from enhance_sweep.training.evaluation import score
from enhance_sweep.weights.loading import load_weights

PUBLISHED = {
    "dped_resnet_64x4": ["model=plain", "model.channels=64", "model.blocks=4"],
    "dped_resnet_32x2": ["model=plain", "model.channels=32", "model.blocks=2"],
}
GAP = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--run", required=True, metavar="KEY")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    shared = Path(os.environ["ENHANCE_SWEEP_SHARED"])
    golden = shared / "reference" / "golden"
    test = Dped(str(shared / "dped-sample")).load(default_cache_dir()).test
    order = np.argsort([int(Path(name).stem) for name in test.names])  # the golden scores' order
    print(f"{'network':18} {'PSNR dB':>8} {'golden':>8} {'MS-SSIM':>8} {'golden':>8}   largest difference of an image")
    with np.load(golden / "scores_test100.npz") as published:
        for name, overrides in PUBLISHED.items():
            scores = score(load_weights(golden / f"{name}.npz", overrides), test)
            psnr_db, ms_ssim = scores.values["psnr_db"][order], scores.values["ms_ssim"][order]
            wanted_psnr_db, wanted_ms_ssim = published[f"{name}__psnr"], published[f"{name}__msssim"]
            print(
                f"{name:18} {psnr_db.mean():8.4f} {wanted_psnr_db.mean():8.4f} {ms_ssim.mean():8.5f} "
                f"{wanted_ms_ssim.mean():8.5f}   {np.abs(psnr_db - wanted_psnr_db).max():.1e} dB, "
                f"{np.abs(ms_ssim - wanted_ms_ssim).max():.1e}"
            )
    weights = golden / "dped_resnet_64x4.npz"
    write_pictures(
        {
            "published": ["--weights", str(weights), *PUBLISHED["dped_resnet_64x4"]],
            "ours": ["--runs", str(options.runs), "--run", options.run],
        },
        options.out,
    )


def write_pictures(networks: dict[str, list[str]], out: Path) -> None:
    """One picture a photograph, each network's result made by the command."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        phone = Path(scratch) / "phone"
        phone.mkdir()
        for shot in shots():
            Image.fromarray(shot.input).save(phone / f"{shot.photograph.name}.png")
        for name, arguments in networks.items():
            command = [sys.executable, "-m", "enhance_sweep.enhance", str(phone), *arguments]
            subprocess.run([*command, "--out", str(Path(scratch) / name)], check=True, stdout=subprocess.DEVNULL)
        for photograph in (shot.photograph for shot in shots()):
            shown = [Image.open(Path(scratch) / name / f"{photograph.name}.png") for name in ("phone", *networks)]
            width, height = shown[0].size
            sheet = Image.new("RGB", (len(shown) * (width + GAP) - GAP, height), "white")
            for position, image in enumerate(shown):
                sheet.paste(image, (position * (width + GAP), 0))
            sheet.save(out / f"beside_published_{photograph.name}.webp", quality=90)
            print(f"beside_published_{photograph.name}.webp: phone, published baseline, ours. {photograph.credit}")


if __name__ == "__main__":
    prepare_process()
    main()
