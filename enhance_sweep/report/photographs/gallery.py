"""Photographs before and after, for the page's slider."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from PIL import Image

from enhance_sweep.report.photographs.pictures import by_trained_on, data_uri, one_line, pictures_of, read_rgb, webp
from enhance_sweep.report.results.gather import Results

#: The most networks for which the page has photographs, and the most photographs of each.
_NETWORKS, _PHOTOGRAPHS = 40, 2
_QUALITY = 82


@dataclass(frozen=True)
class Slides:
    """Before and after, for a slider.

    Attributes:
        untouched: each photograph as the network saw it, by title.
        enhanced: for each row of the variants the photographs that it enhanced: `photograph` (the title) and `uri`.
    """

    untouched: dict[str, str] = field(default_factory=dict)
    enhanced: dict[str, list[dict[str, str]]] = field(default_factory=dict)


def slides(results: Results, rows: Iterable[int]) -> Slides:
    """The photographs of some rows of the variants, those that networks were not trained on first.

    Both pictures of a pair must have one size. Test patches are never shown: they may not be published.
    """
    found = Slides()
    for row in list(rows)[:_NETWORKS]:
        trainings = results.trainings(row)
        pictures = pictures_of(results.runs, trainings[0]) if trainings else {}
        for name in [name for name in by_trained_on(pictures) if ("input", name) in pictures][:_PHOTOGRAPHS]:
            picture = pictures["photograph", name]
            after, before = read_rgb(picture), read_rgb(pictures["input", name])
            if after is None or before is None or after.size != before.size:
                continue
            credit = one_line(picture.said.get("credit"), 160)
            title = ", ".join(part for part in (one_line(picture.said.get("title"), 80) or name, credit) if part)
            if title not in found.untouched:
                found.untouched[title] = _uri(before)
            found.enhanced.setdefault(str(row), []).append({"photograph": title, "uri": _uri(after)})
    return found


def _uri(image: Image.Image) -> str:
    return data_uri(".webp", webp(image, _QUALITY))
