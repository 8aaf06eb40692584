"""The networks that the page offers: those on the frontier whose weights are available."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from enhance_sweep.records.choosing import frontier_runs
from enhance_sweep.records.schema import ARCHITECTURE_COLUMNS
from enhance_sweep.records.store import GENERATOR_FILE, trained_dir
from enhance_sweep.report.labels import network_label


@dataclass(frozen=True)
class Network:
    """A network that can be chosen.

    Attributes:
        key: the variant's.
        folder: its folder.
        name: as people call it.
        label: its name, its time for 1280x720 if it was timed, its MS-SSIM.
    """

    key: str
    folder: Path
    name: str
    label: str


def networks(runs: Path) -> list[Network]:
    """The frontier's networks, the best by MS-SSIM first.

    Raises:
        FileNotFoundError: no such folder of runs.
        ValueError: no network in it has scores and weights, or their scores do not compare.
    """
    front = frontier_runs(runs)
    found = []
    for row in front.iloc[::-1].to_dict("records"):
        folder = trained_dir(runs, str(row["key"]))
        if (folder / GENERATOR_FILE).is_file():
            architecture = {name: row[name] for name in ARCHITECTURE_COLUMNS if not pd.isna(row.get(name))}
            name = network_label(architecture)
            latency = [] if pd.isna(row["latency_ms_median"]) else [f"{row['latency_ms_median']:,.0f} ms"]
            label = ", ".join([name, *latency, f"MS-SSIM {row['ms_ssim']:.4f}"])
            found.append(Network(str(row["key"]), folder, name, label))
    if not found:
        raise ValueError(f"no network on the frontier of {runs} has its weights ({GENERATOR_FILE}): train it again")
    return found
