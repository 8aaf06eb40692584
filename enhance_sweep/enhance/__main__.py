"""`python -m enhance_sweep.enhance PHOTO... --run KEY|best --out DIR`: photographs through a trained variant."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from enhance_sweep.environment import restart_with_allocator

if TYPE_CHECKING:
    from enhance_sweep.enhance import Enhancer

BEST = "best"
_QUALITY = 95


def main() -> int:
    """Enhance every photograph that can be read; 1 if any could not, 2 if there is nothing to do it with."""
    restart_with_allocator("tuned")  # before torch is imported
    arguments = _parser().parse_args()

    from tqdm import tqdm

    from enhance_sweep.enhance import load_enhancer

    try:
        run_dir = choose_run(arguments.runs, arguments.run, arguments.max_latency_ms)
        enhancer = load_enhancer(run_dir)
    except (FileNotFoundError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"network: {run_dir.name}", file=sys.stderr)
    arguments.out.mkdir(parents=True, exist_ok=True)
    failures: list[str] = []
    made: dict[Path, Path] = {}
    for photo in tqdm(arguments.photos, unit="photo", disable=None):
        target = target_of(photo, arguments.out)
        try:
            if target in made:
                raise ValueError(f"its result would replace that of {made[target]}: give it another --out")
            enhance_file(enhancer, photo, target, arguments.before_after)
            made[target] = photo
        except (OSError, ValueError, SyntaxError) as error:  # Pillow's readers raise all three
            failures.append(f"{photo}: {error}")
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    print(f"{len(arguments.photos) - len(failures)} of {len(arguments.photos)} photographs are in {arguments.out}")
    return 1 if failures else 0


def choose_run(runs: Path, run: str, max_latency_ms: float | None) -> Path:
    """The folder of a variant by its key, or of the best one by MS-SSIM, among those fast enough.

    Raises:
        FileNotFoundError: no such folder of runs.
        ValueError: no such variant.
    """
    from enhance_sweep.records import load_records, trained_dir

    frame = load_records(runs)
    frame = frame[frame["status"] == "completed"]
    if run != BEST:
        if run not in set(frame["key"]):
            raise ValueError(f"--run: no completed variant {run!r} in {runs}; there are: {', '.join(frame['key'])}")
        return trained_dir(runs, run)
    frame = frame.dropna(subset=["ms_ssim"])
    if max_latency_ms is not None:
        frame = frame[frame["latency_ms_median"] <= max_latency_ms]
    if frame.empty:
        limit = "" if max_latency_ms is None else f" of at most {max_latency_ms:g} ms"
        raise ValueError(f"--run best: no scored variant{limit} in {runs}")
    return trained_dir(runs, str(frame.sort_values("ms_ssim")["key"].iloc[-1]))


def target_of(photo: Path, out: Path) -> Path:
    """Where a photograph's result goes: under its own name; JPEG stays JPEG, everything else becomes PNG."""
    return out / (photo.name if photo.suffix.lower() in (".jpg", ".jpeg") else f"{photo.stem}.png")


def enhance_file(enhancer: "Enhancer", photo: Path, target: Path, before_after: bool) -> None:
    """Enhance one file into `target`, in the format that its name says.

    Raises:
        ValueError: the result would replace its source.
        OSError: the file cannot be read or written.
    """
    import numpy as np
    from PIL import Image, ImageOps

    with Image.open(photo) as opened:
        profile = opened.info.get("icc_profile")
        upright = ImageOps.exif_transpose(opened).convert("RGB")
    before = np.asarray(upright)
    after = enhancer(before)
    shown = np.concatenate([before, after], axis=1) if before_after else after
    jpeg = target.suffix.lower() != ".png"
    if target.exists() and target.samefile(photo):
        raise ValueError("its result would replace it: choose another --out")
    part = target.with_name(f".{target.name}.part")
    settings: dict[str, Any] = {"quality": _QUALITY, "subsampling": 0} if jpeg else {}
    Image.fromarray(shown).save(part, format="JPEG" if jpeg else "PNG", icc_profile=profile, **settings)
    part.replace(target)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m enhance_sweep.enhance", description="Enhance photographs.")
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO", help="JPEG, PNG, WebP or TIFF files")
    parser.add_argument("--run", default=BEST, metavar="KEY", help="a variant's key, or best (highest MS-SSIM)")
    parser.add_argument("--runs", default=Path("runs"), type=Path, metavar="DIR", help="folder of runs (runs)")
    parser.add_argument("--out", default=Path("enhanced"), type=Path, metavar="DIR", help="where results go (enhanced)")
    parser.add_argument("--max-latency-ms", type=float, metavar="MS", help="best among networks this fast at 1280x720")
    parser.add_argument("--before-after", action="store_true", help="save each photograph beside its result")
    return parser


if __name__ == "__main__":
    sys.exit(main())
