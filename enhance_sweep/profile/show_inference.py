"""Profiles of inference as text, CSV and a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from enhance_sweep.profile.inference import OTHER, InferenceProfile
from enhance_sweep.profile.show import write_files
from enhance_sweep.report.figures.style import (
    BLUE,
    GREEN,
    GRID,
    INK,
    MUTED,
    OCHRE,
    PAPER,
    VERMILLION,
    new_figure,
    png,
    style,
)

_COLORS = {"convolution": BLUE, "norm": VERMILLION, "activation": GREEN, "moves pixels": OCHRE, OTHER: MUTED}
#: Layers below this share of a call are one line in the text.
_LEAST_SHARE = 0.01


def frame(profiles: Sequence[InferenceProfile]) -> pd.DataFrame:
    """A row for each layer of each profile; times in ms, `roof_share` is the roof over the time."""
    return pd.DataFrame(
        {
            "network": profile.network,
            "runtime": profile.runtime,
            "lowered": profile.lowered,
            "precision": profile.precision,
            "layer": layer.name,
            "kind": layer.kind,
            "group": layer.group,
            "ms": layer.ms,
            "share": layer.ms / profile.ms,
            "roof_ms": layer.roof_ms,
            "roof_share": layer.roof_ms / layer.ms if layer.roof_ms is not None and layer.ms else None,
        }
        for profile in profiles
        for layer in profile.layers
    )


def text(profile: InferenceProfile) -> str:
    """One profile as lines for a terminal."""
    roof = f", {profile.ms / profile.roof_ms:.2f} times its roof of {profile.roof_ms:.1f} ms" if profile.roof_ms else ""
    lines = [
        f"{title(profile)}, {profile.size[0]}x{profile.size[1]}, {profile.threads} threads, {profile.machine}",
        f"a matrix product: {profile.rates[f'{profile.precision}_gflops']:.0f} GFLOP/s, a copy in memory: "
        f"{profile.rates['copy_gb_per_s']:.0f} GB/s",
        f"{profile.ms:.1f} ms in layers{roof}: "
        + ", ".join(f"{group} {ms / profile.ms:.0%}" for group, ms in profile.by_group().items()),
        f"{'layer':40} {'kind':28} {'ms':>9} {'share':>7} {'roof, ms':>9} {'of roof':>8}",
    ]
    small = [layer for layer in profile.layers if layer.ms < _LEAST_SHARE * profile.ms]
    for layer in profile.layers:
        if layer not in small:
            of_roof = f"{layer.roof_ms:9.2f} {layer.roof_ms / layer.ms:8.0%}" if layer.roof_ms is not None else ""
            figures = f"{layer.ms:9.2f} {layer.ms / profile.ms:7.1%} {of_roof}"
            lines.append(f"{layer.name[-40:]:40} {layer.kind[:28]:28} {figures}".rstrip())
    if small:
        small_ms = sum(layer.ms for layer in small)
        lines.append(f"{f'{len(small)} others':69} {small_ms:9.2f} {small_ms / profile.ms:7.1%}")
    return "\n".join(lines)


def title(profile: InferenceProfile) -> str:
    """What ran, and where."""
    return f"{profile.network}, {profile.runtime} {profile.precision}{', lowered' if profile.lowered else ''}"


def picture(profiles: Sequence[InferenceProfile]) -> bytes:
    """A PNG with a bar for each profile, a piece for each layer in the order in which they run; black: the roof."""
    height = 1.15 + 0.55 * len(profiles)
    with style():
        figure = new_figure(9.0, height)
        axes = figure.subplots()
        for row, profile in enumerate(profiles):
            left = 0.0
            for layer in profile.layers:
                axes.barh(row, layer.ms, left=left, height=0.55, color=_COLORS[layer.group], ec=PAPER, lw=0.5)
                left += layer.ms
            if profile.roof_ms:
                axes.plot([profile.roof_ms] * 2, [row - 0.38, row + 0.38], color=INK, lw=1.6)
            axes.text(left, row, f" {profile.ms:.1f} ms", va="center", fontsize=7.5, color=INK)
        axes.set_yticks(
            range(len(profiles)), [title(profile).replace(", ", "\n", 1) for profile in profiles], fontsize=7.5
        )
        axes.invert_yaxis()
        axes.set_xlim(0, max(max(profile.ms, profile.roof_ms or 0.0) for profile in profiles) * 1.12)
        axes.set_xlabel("ms of one call (medians of layers)", fontsize=8)
        axes.grid(True, axis="x", color=GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        shown = [group for group in _COLORS if any(group in profile.by_group() for profile in profiles)]
        handles: list[Any] = [axes.barh(0, 0, color=_COLORS[group], label=group) for group in shown]
        handles += axes.plot([], [], color=INK, lw=1.6, label="roof")
        figure.legend(handles=handles, loc="upper left", ncols=6, frameon=False, fontsize=7.5, handlelength=1.2)
        figure.subplots_adjust(left=0.27, right=0.98, bottom=0.5 / height, top=1 - 0.35 / height)
    return png(figure)


def write(profiles: Sequence[InferenceProfile], out: Path) -> None:
    """Write `inference.csv`, `inference.txt` and `inference.png` into a folder."""
    write_files(out / "inference", frame(profiles), map(text, profiles), picture(profiles))
