"""Pictures that evaluation left beside a record: which may be shown, and before and after for the page."""

import base64
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from enhance_sweep.records.store import trained_dir
from enhance_sweep.report.results.gather import Results

MEDIA_TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
#: A larger file is no web page's picture.
_LARGEST_BYTES = 4 * 2**20
#: A picture of more pixels is none of evaluation's.
_MOST_PIXELS = 4_000_000
#: For how many networks the page has photographs, and how many of each.
_NETWORKS, _PHOTOGRAPHS = 40, 2
_QUALITY = 82


@dataclass(frozen=True)
class Slides:
    """Before and after, for a slider.

    Attributes:
        untouched: each photograph as the network saw it, by title.
        enhanced: for each row of the variants the photographs that it enhanced: `photograph` (the title) and `uri`.
    """

    untouched: Mapping[str, str]
    enhanced: Mapping[str, list[dict[str, str]]]


def slides(results: Results, rows: Iterable[int]) -> Slides:
    """The photographs of some rows of the variants, those that networks were not trained on first.

    Only pairs of one size count, and only pictures of kind `photograph` and `input`: test patches are not ours to show.
    """
    untouched: dict[str, str] = {}
    enhanced: dict[str, list[dict[str, str]]] = {}
    for row in list(rows)[:_NETWORKS]:
        trainings = results.trainings(row)
        if not trainings:
            continue
        found = _by_kind(results.runs, trainings[0])
        names = [name for kind, name in found if kind == "photograph" and ("input", name) in found]
        names.sort(key=lambda name: found["photograph", name][1].get("trained_on") is True)
        for name in names[:_PHOTOGRAPHS]:
            (after, said), (before, _) = found["photograph", name], found["input", name]
            pair = _shown(after), _shown(before)
            if pair[0] is None or pair[1] is None or pair[0][1] != pair[1][1]:
                continue
            credit = str(said.get("credit") or "")[:160]
            title = ", ".join(part for part in (str(said.get("title") or name)[:80], credit) if part)
            untouched.setdefault(title, pair[1][0])
            enhanced.setdefault(str(row), []).append({"photograph": title, "uri": pair[0][0]})
    return Slides(untouched, enhanced)


def _by_kind(runs: Path, record: Mapping[str, Any]) -> dict[tuple[str, str], tuple[Path, Mapping[str, Any]]]:
    return {
        (str(named.get("kind")), str(named.get("photograph"))): (path, named)
        for path, named in named_pictures(runs, record)
    }


def _shown(path: Path) -> tuple[str, tuple[int, int]] | None:
    """A picture of a page's quality and its size; None where the file is no picture."""
    try:
        with Image.open(path) as image:
            if image.width * image.height > _MOST_PIXELS:
                return None
            buffer = io.BytesIO()
            image.convert("RGB").save(buffer, format="WEBP", quality=_QUALITY, method=4)
            return data_uri(".webp", buffer.getvalue()), image.size
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError):
        return None


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
