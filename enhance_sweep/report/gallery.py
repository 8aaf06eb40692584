"""Pictures that evaluation left beside a record, and test patches before and after for the page."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from enhance_sweep.records import trained_dir
from enhance_sweep.report.results import Results

MEDIA_TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
#: How many networks the page shows pictures of, and how many of each; a page of more is slow to open.
_NETWORKS, _PICTURES = 3, 4
#: A larger file is no web page's picture.
_LARGEST_BYTES = 4 * 2**20
#: What pictures are of; records from before there were several kinds name none.
_PATCHES = "patches"


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
    """The strips of test patches among a record's pictures."""
    found: list[Picture] = []
    for path, named in named_pictures(runs, record):
        if named.get("kind", _PATCHES) == _PATCHES and len(found) < _PICTURES:
            found.append(Picture(str(named.get("title") or path.stem), data_uri(path.suffix, path.read_bytes())))
    return tuple(found)


def named_pictures(runs: Path, record: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The pictures that a record names and its folder holds, each with what the record says of it.

    A record is someone else's word: what lies elsewhere, is too large or has no picture's name is passed over.
    """
    key, pictures = str(record["key"]), record.get("pictures")
    if Path(key).name != key or key == ".." or not isinstance(pictures, list):
        return
    folder = trained_dir(runs, key).resolve()
    for named in pictures:
        if not isinstance(named, Mapping):
            continue
        try:
            path = (folder / str(named.get("file"))).resolve()
            usable = path.is_relative_to(folder) and path.is_file() and path.stat().st_size <= _LARGEST_BYTES
        except (OSError, ValueError):  # a name that no file can have
            continue
        if usable and path.suffix.lower() in MEDIA_TYPES:
            yield path, named


def data_uri(suffix: str, data: bytes) -> str:
    """A picture as a part of a page, from its file's ending and bytes."""
    return f"data:{MEDIA_TYPES[suffix.lower()]};base64,{base64.b64encode(data).decode()}"
