"""Profiles as text, CSV and a picture."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from enhance_sweep.profile.measure import Profile
from enhance_sweep.report.figures.style import (
    BLUE,
    GREEN,
    GRID,
    INK,
    MUTED,
    OCHRE,
    PAPER,
    PURPLE,
    VERMILLION,
    new_figure,
    png,
    style,
)

_COLORS = (BLUE, VERMILLION, GREEN, PURPLE, OCHRE, MUTED, INK, GRID)
_HATCHES = ("", "//", "..")


def frame(profiles: Sequence[Profile]) -> pd.DataFrame:
    """A row for each part of each profile, and one for the whole step: times in ms, operations in 10^9."""
    rows = []
    for profile in profiles:
        whole = float(np.median(profile.step_ms))
        common = {"network": profile.name, "loss": profile.loss, "precision": profile.precision}
        parts = [(part.name, part.ms, part.flops) for part in profile.parts]
        for name, ms, flops in [*parts, ("whole step", profile.step_ms, profile.flops)]:
            median = float(np.median(ms))
            low, high = np.percentile(ms, [25, 75])
            rate = flops / median / 1e6 if median > 0 else 0.0
            rows.append(
                common
                | {
                    "part": name,
                    "ms": median,
                    "iqr_ms": float(high - low),
                    "share": median / whole,
                    "gflop": flops / 1e9,
                    "gflops": rate,
                    "share_of_limit": rate / profile.limit_gflops,
                    "images_per_s": profile.images_per_s,
                    "peak_mib": profile.peak_mib,
                }
            )
    return pd.DataFrame(rows)


def text(profile: Profile) -> str:
    """One profile as lines for a terminal."""
    lines = [
        f"{profile.name}, loss {profile.loss}, batch {profile.batch_size} of {profile.crop_size}x{profile.crop_size}, "
        f"{profile.precision}, {profile.device}",
        f"{profile.images_per_s:.1f} images/s, {profile.share_of_limit:.0%} of the {profile.limit_gflops:.0f} GFLOP/s "
        f"of a large matrix product; peak {profile.peak_mib:.0f} MiB",
        f"{'part':20} {'ms':>9} {'IQR':>8} {'share':>7} {'GFLOP':>9} {'GFLOP/s':>9} {'of limit':>9}",
    ]
    for row in frame([profile]).itertuples():
        rate = f"{row.gflops:9.1f} {row.share_of_limit:9.0%}" if row.gflop else f"{'':9} {'':9}"
        lines.append(f"{row.part:20} {row.ms:9.2f} {row.iqr_ms:8.2f} {row.share:7.1%} {row.gflop:9.2f} {rate}".rstrip())
    return "\n".join(lines)


def picture(profiles: Sequence[Profile]) -> bytes:
    """A PNG with a bar for each profile, stacked from its parts' median times."""
    names = list(dict.fromkeys(part.name for profile in profiles for part in profile.parts))
    height = 1.1 + 0.62 * len(profiles)
    with style():
        figure = new_figure(9.0, height)
        axes = figure.subplots()
        for row, profile in enumerate(profiles):
            left = 0.0
            medians = {part.name: part.ms_median for part in profile.parts}
            for number, name in enumerate(names):
                width = medians.get(name, 0.0)
                axes.barh(
                    row,
                    width,
                    left=left,
                    height=0.58,
                    color=_COLORS[number % len(_COLORS)],
                    hatch=_HATCHES[number // len(_COLORS) % len(_HATCHES)],
                    edgecolor=PAPER,
                    linewidth=0.8,
                    label=name
                    if row == 0 or all(name not in [p.name for p in q.parts] for q in profiles[:row])
                    else None,
                )
                left += width
            note = f" {profile.images_per_s:.1f} images/s, {profile.share_of_limit:.0%} of the limit"
            axes.text(left, row, note, va="center", fontsize=7.5, color=INK)
        labels = [
            f"{profile.name}\n{profile.loss}\n{profile.batch_size} of {profile.crop_size}²" for profile in profiles
        ]
        axes.set_yticks(range(len(profiles)), labels, fontsize=7.5)
        axes.invert_yaxis()
        widest = max(sum(part.ms_median for part in profile.parts) for profile in profiles)
        axes.set_xlim(0, widest * 1.32)
        axes.set_xlabel("ms of one training step (medians)", fontsize=8)
        axes.grid(True, axis="x", color=GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        columns = min(len(names), 6)
        rows = -(-len(names) // columns)
        figure.legend(loc="upper left", ncols=columns, frameon=False, fontsize=7.5, handlelength=1.2, columnspacing=1.2)
        figure.subplots_adjust(left=0.2, right=0.98, bottom=0.45 / height, top=1 - (0.1 + 0.2 * rows) / height)
    return png(figure)


def write(profiles: Sequence[Profile], out: Path) -> None:
    """Write `profile.csv`, `profile.txt` and `profile.png` into a folder."""
    write_files(out / "profile", frame(profiles), map(text, profiles), picture(profiles))


def write_files(stem: Path, table: pd.DataFrame, texts: Iterable[str], picture: bytes) -> None:
    """Write a table, texts and a PNG under one name with `.csv`, `.txt` and `.png`; the folder is made."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(stem.with_suffix(".csv"), index=False)
    stem.with_suffix(".txt").write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    stem.with_suffix(".png").write_bytes(picture)
