"""Read the pictures that evaluation left beside a record, if they may be shown."""

import base64
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from enhance_sweep.records.schema import TrainedRecord
from enhance_sweep.records.store import trained_dir
from enhance_sweep.report.results.gather import whole

MEDIA_TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
_FORMATS = ("JPEG", "PNG", "WEBP")
#: Evaluation makes no larger files or pictures. A small file can decode to a picture that fills the memory.
_LARGEST_BYTES, _LARGEST_SIDE = 4 * 2**20, 2048
#: Names of photographs become names of files.
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


@dataclass(frozen=True)
class Picture:
    """A picture's file, and its entry in the record."""

    path: Path
    said: Mapping[str, Any]

    @property
    def is_trained_on(self) -> bool | None:
        """Whether its network was trained on this scene; None where the record does not say."""
        flag = self.said.get("trained_on")
        return flag if isinstance(flag, bool) else None


#: By kind (`photograph`, `input` or `target`) and by the photograph's name.
Pictures = Mapping[tuple[str, str], Picture]


def pictures_of(runs: Path, record: TrainedRecord) -> Pictures:
    """The pictures of photographs that a record names and its folder holds.

    A record may come from anywhere. Skips files outside its folder, large files, files not named like a picture, and
    photographs with odd names. If a record names a picture twice, the first one counts.
    """
    named = whole(record).pictures
    if Path(record.key).name != record.key or record.key == ".." or not isinstance(named, list):
        return {}
    folder = trained_dir(runs, record.key).resolve()
    found: dict[tuple[str, str], Picture] = {}
    for said in named:
        name = said.get("photograph") if isinstance(said, Mapping) else None
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            continue
        try:
            path = (folder / str(said.get("file"))).resolve()
            usable = path.is_relative_to(folder) and path.is_file() and path.stat().st_size <= _LARGEST_BYTES
        except (OSError, ValueError):  # not a possible file name
            continue
        if usable and path.suffix.lower() in MEDIA_TYPES:
            found.setdefault((str(said.get("kind")), name), Picture(path, said))
    return found


def by_trained_on(pictures: Pictures) -> list[str]:
    """The names of enhanced photographs; those that the network was trained on come last."""
    photographs = {name: picture for (kind, name), picture in pictures.items() if kind == "photograph"}
    return sorted(photographs, key=lambda name: photographs[name].is_trained_on is True)


def read_rgb(picture: Picture | None) -> Image.Image | None:
    """The picture as RGB; None where there is none, or it is damaged or larger than evaluation makes any."""
    if picture is None:
        return None
    try:
        with Image.open(picture.path, formats=_FORMATS) as image:
            return image.convert("RGB") if max(image.size) <= _LARGEST_SIDE else None
    except Exception:  # damaged files make decoders raise nearly anything
        return None


def webp(image: Image.Image, quality: int) -> bytes:
    """A picture as a WebP file."""
    buffer = io.BytesIO()
    image.save(buffer, format="WEBP", quality=quality, method=4)
    return buffer.getvalue()


def data_uri(suffix: str, data: bytes) -> str:
    """A picture as a part of a page, from its file's suffix and bytes."""
    return f"data:{MEDIA_TYPES[suffix.lower()]};base64,{base64.b64encode(data).decode()}"


def one_line(value: Any, longest: int) -> str:
    """Text from a record as one line without control characters, not too long; empty if it is no text."""
    text = value[: 2 * longest] if isinstance(value, str) else ""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:longest]
