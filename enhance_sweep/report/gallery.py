"""Before-and-after pictures that evaluation left beside a record, for the networks that the page is about."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from enhance_sweep.records import trained_dir
from enhance_sweep.report.results import Results

_KINDS = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
#: How many networks the page shows pictures of, and how many of each; a page of more is slow to open.
_NETWORKS, _PICTURES = 3, 4
#: A larger file is no web page's picture.
_LARGEST_BYTES = 4 * 2**20


@dataclass(frozen=True)
class Picture:
    """A picture as a part of the page."""

    title: str
    uri: str


@dataclass(frozen=True)
class Exhibit:
    """One network's pictures."""

    label: str
    note: str
    pictures: tuple[Picture, ...]


def exhibits(results: Results) -> list[Exhibit]:
    """The pictures of the best networks of the frontier that have any, the best quality first."""
    shown: list[Exhibit] = []
    best = results.frontier.sort_values("ms_ssim", ascending=False, kind="stable")
    for label, index, ms_ssim in best[["label", "record", "ms_ssim"]].itertuples(index=False, name=None):
        pictures = _pictures(results.runs, results.trained[int(index)])
        if pictures:
            shown.append(Exhibit(str(label), f"MS-SSIM {ms_ssim:.4f}", pictures))
        if len(shown) == _NETWORKS:
            break
    return shown


def _pictures(runs: Path, record: Mapping[str, Any]) -> tuple[Picture, ...]:
    """The pictures that a record names and its folder holds; what lies elsewhere or is no picture is passed over."""
    folder = trained_dir(runs, str(record["key"])).resolve()
    found: list[Picture] = []
    for named in record.get("pictures") or []:
        path = (folder / str(named.get("file"))).resolve()
        kind = _KINDS.get(path.suffix.lower())
        if kind is None or not path.is_relative_to(folder) or not path.is_file():
            continue
        if path.stat().st_size <= _LARGEST_BYTES:
            data = base64.b64encode(path.read_bytes()).decode()
            found.append(Picture(str(named.get("title") or path.stem), f"data:{kind};base64,{data}"))
    return tuple(found[:_PICTURES])
