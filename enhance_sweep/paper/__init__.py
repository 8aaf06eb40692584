"""The tables of de Stoutz et al. 2018 as they were printed, with the architectures that their rows name."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd

from enhance_sweep.records.keys import architecture_slug

#: The network that every speed-up is relative to: 3x3 kernels, 64 channels, 4 blocks (Ignatov et al. 2017).
BASELINE_SLUG = "plain-k3-c64-b4"
#: The paper's pick, "3-4, 16-64" in its Table 2.
PROPOSED_SLUG = "strided-k3-s4-c16-b2"
#: The network that the PIRM 2018 challenge measured speed against (Table 3).
SRCNN_SLUG = "srcnn"
#: What Table 3 calls those three networks.
TEAMS = {BASELINE_SLUG: "DPED (baseline)", PROPOSED_SLUG: "EdS (proposed)", SRCNN_SLUG: "SRCNN (baseline)"}


def published_architecture(table: int, row: Mapping[Any, Any]) -> dict[str, Any]:
    """What a row of Table 1 or 2 names, as records write it: `topology` and its constructor's arguments."""
    sizes = {"kernel_size": int(row["kernel_size"]), "channels": int(row["channels"])}
    if table == 1:
        return {"topology": "plain", **sizes, "blocks": int(row["blocks"]), "prelu": False}
    strided = {"strided_kernel_size": int(row["strided_kernel_size"]), "blocks": 2, "prelu": row["prelu"] == "yes"}
    return {"topology": "strided", **sizes, **strided}


@cache
def published_table(table: int) -> pd.DataFrame:
    """Table 1 (17 plain networks) or 2 (7 strided ones), in the paper's order.

    Returns:
        Columns `slug` (see `records.architecture_slug`), `architecture`, `time_s` (the paper's, one 1280x720 image on
        a CPU), `speed_up` (of that time against the paper's own 3/64/4 row), `psnr_db`, `ms_ssim`.
    """
    printed = _read(table)
    architectures = [published_architecture(table, row) for row in printed.to_dict("records")]
    return pd.DataFrame(
        {
            "slug": [architecture_slug(architecture) for architecture in architectures],
            "architecture": architectures,
            "time_s": printed["time_s"],
            "speed_up": baseline_time_s() / printed["time_s"],
            "psnr_db": printed["psnr_db"],
            "ms_ssim": printed["ms_ssim"],
        }
    )


@cache
def published_networks() -> pd.DataFrame:
    """Tables 1 and 2 as one, by `slug`: the columns of `published_table`, and `table`."""
    tables = [published_table(table).assign(table=table) for table in (1, 2)]
    return pd.concat(tables).set_index("slug", drop=False)


@cache
def published_challenge() -> pd.DataFrame:
    """Table 3, the PIRM 2018 challenge's entries, those that people liked best first.

    Returns:
        Indexed by `team`: `psnr_db`, `ms_ssim`, `mos` (mean opinion score), `cpu_ms` and `gpu_ms` (one 1280x720 image),
        `ram_gb`.
    """
    return _read(3).set_index("team")


def baseline_time_s() -> float:
    """The time that Table 1 gives the 3/64/4 baseline."""
    return float(_read(1).query("kernel_size == 3 and channels == 64 and blocks == 4")["time_s"].item())


def headline_speed_up() -> float:
    """The paper's headline, 6.3: Table 3's times of the DPED baseline and of the proposed network."""
    cpu_ms = published_challenge()["cpu_ms"]
    return float(cpu_ms[TEAMS[BASELINE_SLUG]] / cpu_ms[TEAMS[PROPOSED_SLUG]])


def implied_baseline_time_s() -> float:
    """The time that the baseline would have on Table 2's machine for the headline to hold there too, about 50 s."""
    table2 = _read(2).query("kernel_size == 3 and strided_kernel_size == 4 and channels == 16 and prelu == 'no'")
    return headline_speed_up() * float(table2["time_s"].item())


@cache
def _read(table: int) -> pd.DataFrame:
    with files(__package__).joinpath(f"table{table}.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file)
