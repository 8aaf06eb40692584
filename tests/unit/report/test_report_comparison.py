"""Whole photographs side by side: the right pixels in the right places, and nobody's word taken for anything."""

import io
import os
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import record_factory as make
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from enhance_sweep.report import gather
from enhance_sweep.report.photographs import comparison as comparison_module
from enhance_sweep.report.photographs import sheet as drawing
from enhance_sweep.report.photographs.comparison import Comparison, comparisons
from enhance_sweep.report.photographs.gallery import slides
from enhance_sweep.report.photographs.sheet import CROP, SMALLEST, ZOOM, Pixels, Scale, choose_crops, colored, places

SIZE = (320, 240)
TWO = ((make.BASELINE, 0.92, 5000.0), (make.PROPOSED, 0.91, 500.0))
#: What a frame and its letter cover of a crop.
FRAME = 5
CORNER = 26


def scene(seed: int = 0, size: tuple[int, int] = SIZE) -> Pixels:
    """A made-up photograph, smooth, with room for changes in both directions."""
    small = np.random.default_rng(seed).integers(60, 190, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize(size, Image.Resampling.BICUBIC))


def save(path: Path, pixels: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    how: dict[str, Any] = {"lossless": True} if path.suffix == ".webp" else {"quality": 95, "subsampling": 0}
    Image.fromarray(pixels).save(path, **how)


def entries(name: str, **changes: Any) -> list[dict[str, Any]]:
    said = {"photograph": name, "title": f"The {name}", "credit": "Ann, CC0", "trained_on": False} | changes
    files = {"photograph": f"{name}.webp", "input": f"{name}-input.jpg", "target": f"{name}-target.jpg"}
    return [{"file": f"pictures/{file}", "kind": kind, **said} for kind, file in files.items()]


class Runs:
    """A folder of runs in which networks have photographs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def network(self, architecture: dict[str, Any], ms_ssim: float, latency_ms: float | None, **changes: Any) -> Path:
        """A trained network, which shifts each photograph's tone by some gray levels; returns its folder."""
        record = make.trained(architecture, ms_ssim, **{"pictures": entries("street")} | changes)
        timed = [] if latency_ms is None else [make.timed(architecture, latency_ms)]
        make.write(self.folder, [record, *timed])
        return self.folder / "trained" / record["key"]

    def photograph(self, folder: Path, enhanced: Pixels, name: str = "street", input: Pixels | None = None) -> None:
        save(folder / f"pictures/{name}.webp", enhanced)
        save(folder / f"pictures/{name}-input.jpg", scene() if input is None else input)
        save(folder / f"pictures/{name}-target.jpg", scene())

    def networks(self, *networks: tuple[dict[str, Any], float, float | None], **changes: Any) -> list[Path]:
        """Several networks that all leave the photograph as it is."""
        folders = [self.network(*network, **changes) for network in networks]
        for folder in folders:
            self.photograph(folder, scene())
        return folders

    def figures(self) -> list[Comparison]:
        return comparisons(gather(self.folder))


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "runs")


@pytest.fixture
def two(runs: Runs) -> tuple[Path, Path]:
    """The baseline and the paper's pick, whose pictures are 4 gray levels apart."""
    baseline, chosen = runs.networks(*TWO)
    runs.photograph(chosen, scene() + np.uint8(4))
    return baseline, chosen


def apart(one: Sequence[int], other: Sequence[int]) -> bool:
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def decoded(comparison: Comparison) -> Pixels:
    with Image.open(io.BytesIO(comparison.image)) as picture:
        assert picture.size == (comparison.width, comparison.height)
        return np.asarray(picture.convert("RGB"))


# --- pixels -----------------------------------------------------------------------------------------------------------


def test_each_picture_and_each_crop_stands_in_its_place_on_the_sheet() -> None:
    (left, top, right, bottom) = places((600, 400), 1)[0].picture
    size = (right - left, bottom - top)
    assert places(size, 1)[0].picture == (left, top, right, bottom), "shown in its own size, so that no pixel changes"
    rng = np.random.default_rng(0)
    cells = [drawing.Cell(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8), f"{n}", "") for n in range(5)]
    crops = tuple((x, y, x + CROP[0], y + CROP[1]) for x, y in ((20, 200), (300, 30)))
    sheet = np.asarray(drawing.sheet(cells, crops, Scale(16, "", (), "")))  # type: ignore[arg-type]
    for cell, slot in zip(cells, places(size, 6), strict=False):
        left, top, right, bottom = slot.picture
        shown, expected = sheet[top:bottom, left:right].copy(), cell.pixels.copy()
        for x0, y0, x1, y1 in crops:
            shown[y0:y1, x0:x1], expected[y0:y1, x0:x1] = 0, 0
        np.testing.assert_array_equal(shown, expected)
        for (x0, y0, x1, y1), (left, top, right, bottom) in zip(crops, slot.crops, strict=True):
            enlarged = cell.pixels[y0:y1, x0:x1].repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)
            assert enlarged.shape[:2] == (bottom - top, right - left)
            inside = np.s_[CORNER:-FRAME, FRAME:-FRAME]
            np.testing.assert_array_equal(sheet[top:bottom, left:right][inside], enlarged[inside])


@pytest.mark.parametrize("size", [(320, 240), (1280, 720), (240, 320), (2048, 300), (501, 501)])
def test_nothing_on_the_sheet_overlaps_or_leaves_it(size: tuple[int, int]) -> None:
    slots = places(size, 6)
    boxes = [box for slot in slots for box in (slot.picture, *slot.crops)]
    for left, top, right, bottom in boxes:
        assert 0 <= left < right <= drawing.WIDTH
        assert 0 <= top < bottom
    assert all(apart(one, other) for one, other in combinations(boxes, 2))
    for slot in slots:
        left, top, right, bottom = slot.picture
        assert (right - left) / (bottom - top) == pytest.approx(size[0] / size[1], rel=0.01)


def test_the_map_has_the_colors_that_the_scale_says() -> None:
    one, other = np.full((1, 5, 3), 100, np.uint8), np.full((1, 5, 3), 100, np.uint8)
    other[0, 1:] = [(106, 100, 100), (92,) * 3, (116,) * 3, (200,) * 3]
    differences = drawing.difference(one, other)
    np.testing.assert_allclose(differences, [[0, 2, 8, 16, 100]])
    np.testing.assert_array_equal(drawing.difference(other, one), differences)
    shown = colored(differences, 16)[0].astype(int)
    np.testing.assert_array_equal(shown[3], shown[4])
    assert (np.diff(shown[:4].sum(axis=1)) > 0).all(), "more difference is brighter"
    assert shown[0].sum() < 10


def test_crops_are_where_details_differ_and_where_there_is_detail() -> None:
    rng = np.random.default_rng(0)
    photograph = scene(size=(600, 400)).copy()
    photograph[50:100, 60:120] = rng.integers(60, 190, (50, 60, 3))
    # Another tone, most so at the left, which is no detail, and noise at the right, which differs by less.
    other = photograph + np.linspace(40, 0, 600).astype(np.uint8)[None, :, None]
    other[300:340, 400:460] += rng.integers(0, 20, (40, 60, 1), dtype=np.uint8)
    changed = [(400, 300, 460, 340), (60, 50, 120, 100)]
    for crop, inside in zip(choose_crops(photograph, other, photograph), changed, strict=True):
        assert (np.subtract(inside, crop) * (1, 1, -1, -1) >= 0).all(), "the crop holds all that was changed"


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 99), st.sampled_from([SMALLEST, (SMALLEST[0], 300), (500, SMALLEST[1])]))
def test_crops_never_overlap_nor_reach_the_edge(seed: int, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    one, other, photograph = rng.integers(0, 256, (3, size[1], size[0], 3), dtype=np.uint8)
    a, b = choose_crops(one, other, photograph)
    for left, top, right, bottom in (a, b):
        assert (right - left, bottom - top) == CROP
        assert min(left, top, size[0] - right, size[1] - bottom) > 0
    assert apart(a, b)


def test_a_finished_figure_shows_the_files_beside_the_records(runs: Runs, two: tuple[Path, Path]) -> None:
    darker, brighter = scene() - np.uint8(40), scene() + np.uint8(40)
    runs.photograph(two[0], darker)
    runs.photograph(two[1], brighter)
    (comparison,) = runs.figures()
    sheet = decoded(comparison).astype(float)
    expected = [scene(), darker, brighter, scene(), colored(drawing.difference(brighter, darker), 128)]
    for pixels, slot in zip(expected, places(SIZE, 6), strict=False):
        left, top, right, bottom = slot.picture
        resized = Image.fromarray(pixels).resize((right - left, bottom - top), Image.Resampling.LANCZOS)
        # Compressed, and with two frames on it: most pixels are as they were.
        assert np.median(np.abs(sheet[top:bottom, left:right] - resized)) < 3
    assert runs.figures()[0].image == comparison.image, "the same records give the same bytes"


# --- which networks ---------------------------------------------------------------------------------------------------


def test_the_best_of_the_frontier_that_is_faster_is_compared_with_the_baseline(runs: Runs) -> None:
    better_and_slower, beaten = (make.plain(9, 128, 4), 0.93, 90_000.0), (make.plain(3, 32, 1), 0.90, 900.0)
    runs.networks(*TWO, better_and_slower, (make.plain(3, 16, 1), 0.88, 300.0), beaten)
    (comparison,) = runs.figures()
    assert (comparison.name, comparison.title) == ("street", "The street")
    assert comparison.file_name == "photograph_street.webp"
    assert comparison.uri.startswith("data:image/webp;base64,")
    best = "the baseline, {3, 64, 4}, and by {3-4, 16}, the best network on the frontier that is faster"
    for words in (best, "times are for 1280x720 pixels", "Ann, CC0"):
        assert words in comparison.caption


@pytest.mark.parametrize("lacking", ["trained", "timed", "pictures"])
def test_without_the_papers_baseline_the_slowest_stands_in_and_the_caption_says_so(runs: Runs, lacking: str) -> None:
    if lacking != "trained":
        folder = runs.network(make.BASELINE, 0.92, None if lacking == "timed" else 5000.0)
        if lacking == "timed":
            runs.photograph(folder, scene())
    runs.networks((make.plain(3, 32, 4), 0.90, 2000.0), TWO[1], (make.plain(3, 32, 1), 0.89, 900.0))
    (comparison,) = runs.figures()
    assert "the slowest network that has photographs here, {3, 32, 4}, and by {3-4, 16}" in comparison.caption
    assert "The paper's baseline, {3, 64, 4}, has no photographs or no time here." in comparison.caption


def test_there_is_no_figure_without_two_networks(runs: Runs) -> None:
    runs.networks(TWO[0])
    assert runs.figures() == []
    runs.networks((make.plain(3, 128, 4), 0.93, 9000.0))
    assert runs.figures() == [], "nothing is faster than the baseline"


def test_without_times_multiply_adds_say_what_is_faster(runs: Runs) -> None:
    runs.networks((make.BASELINE, 0.92, None), (make.PROPOSED, 0.91, None))
    (comparison,) = runs.figures()
    assert "the best network on the frontier that takes fewer multiply-adds" in comparison.caption
    assert "times are for" not in comparison.caption


def test_the_baseline_trained_as_the_chosen_one_was_is_taken(runs: Runs) -> None:
    runs.networks((make.plain(3, 16, 1), 0.88, 300.0))
    for network, steps, shift in ((TWO[0], 1200, 0), (TWO[0], 300, 50), (TWO[1], 300, 53)):
        runs.photograph(runs.network(*network, steps=steps), scene() + np.uint8(shift))
    (comparison,) = runs.figures()
    assert "3.0 gray levels on average" in comparison.alt
    assert "trained in different ways" not in comparison.caption


# --- which photographs ------------------------------------------------------------------------------------------------


def test_photographs_that_were_trained_on_come_last_and_are_called_so(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = [*entries("cat", trained_on=True), *entries("street"), *entries("tower")]
    for folder in runs.networks(*TWO, pictures=pictures):
        for name in ("cat", "tower"):
            runs.photograph(folder, scene(), name)
    figures = runs.figures()
    assert [figure.name for figure in figures] == ["street", "tower", "cat"]
    assert ["trained on other shots of this very photograph" in figure.caption for figure in figures] == [0, 0, 1]
    assert "were not trained on it" in figures[0].caption
    monkeypatch.setattr(comparison_module, "MOST", 1)
    assert [figure.name for figure in runs.figures()] == ["street"]


def test_all_maps_share_one_scale(runs: Runs) -> None:
    pictures = [*entries("street"), *entries("tower")]
    for folder, shift in zip(runs.networks(*TWO, pictures=pictures), (0, 1), strict=True):
        runs.photograph(folder, scene() + np.uint8(3 * shift), "street")
        runs.photograph(folder, scene() + np.uint8(30 * shift), "tower")
    for figure in runs.figures():
        assert "ends at 32 of 255 gray levels" in figure.caption


def elsewhere(path: Path) -> None:
    outside = path.parents[4] / "secret.webp"
    path.rename(outside)
    path.symlink_to(outside)


def enormous(path: Path) -> None:
    Image.new("1", (12_000, 12_000)).save(path, format="PNG")
    assert path.stat().st_size < 2**20, "small as a file, 432 MB as pixels"


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 3]),
    "text": lambda path: path.write_text("<svg onload=alert(1)>"),
    "another format": lambda path: Image.fromarray(scene()).save(path, format="GIF"),
    "small": lambda path: Image.fromarray(scene(size=(64, 48))).save(path, format="PNG"),
    "enormous": enormous,
    "heavy": lambda path: os.truncate(path, 5 * 2**20),
    "elsewhere": elsewhere,
    "another size": lambda path: save(path, scene(size=(330, 240))),
}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("whose", [0, 1])
def test_a_photograph_that_cannot_be_compared_is_passed_over(
    runs: Runs, two: tuple[Path, Path], how: str, whose: int
) -> None:
    assert len(runs.figures()) == 1
    DAMAGE[how](two[whose] / "pictures/street.webp")
    assert runs.figures() == []


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("how", ["missing", "cut short", "enormous"])
def test_one_whole_input_will_do_and_the_target_may_be_lacking(runs: Runs, two: tuple[Path, Path], how: str) -> None:
    (whole,) = runs.figures()
    DAMAGE[how](two[0] / "pictures/street-input.jpg")
    assert runs.figures()[0].image == whole.image
    for folder in two:
        DAMAGE[how](folder / "pictures/street-target.jpg")
    (without,) = runs.figures()
    assert (without.width, without.height) == (whole.width, whole.height)
    assert "(below it)" in whole.caption
    assert "(below it)" not in without.caption
    left, top, right, bottom = places(SIZE, 5)[3].picture
    shown = decoded(without)[top:bottom, left:right].astype(float)
    expected = colored(np.full((1, 1), 4.0), 4)[0, 0]
    assert np.abs(np.median(shown, axis=(0, 1)) - expected).max() < 6, "the map has moved to the target's place"
    DAMAGE[how](two[1] / "pictures/street-input.jpg")
    assert runs.figures() == []


def test_networks_that_were_shown_other_shots_are_not_compared(runs: Runs, two: tuple[Path, Path]) -> None:
    runs.photograph(two[1], scene() + np.uint8(4), input=scene() + np.uint8(10))
    assert runs.figures() == []


def test_records_may_say_anything(runs: Runs) -> None:
    file = "pictures/street.webp"
    odd = [("../street", file), (["street"], file), ("nul", "pictures/\0.webp"), ("long", "x" * 5000 + ".webp")]
    odd += [("outside", "../../../secret.webp"), ("folder", "pictures")]
    nonsense: list[Any] = [{"kind": "photograph", "photograph": name, "file": place} for name, place in odd]
    nonsense += [None, file, {"kind": "photograph"}, {"kind": ["photograph"], "photograph": "kind", "file": file}]
    strange = {"title": "<b>$x$</b>\n\x1b[31m" + "W" * 5000, "credit": 7, "trained_on": "no"}
    runs.networks(*TWO, pictures=[*nonsense, *entries("street", **strange)])
    save(runs.folder.parent / "secret.webp", scene())
    (comparison,) = runs.figures()
    assert comparison.title.startswith("<b>$x$</b> [31mWWW")
    assert len(comparison.title) < 200
    assert not any(words in comparison.caption for words in ("trained on", "Photograph:"))
    found = on_sliders(runs)
    assert [len(pictures) for pictures in found.values()] == [1, 1], "whatever is nonsense is passed over"
    assert all(len(pictures[0]["photograph"]) <= 90 for pictures in found.values())


def on_sliders(runs: Runs) -> Any:
    return slides(gather(runs.folder), range(2)).enhanced


def test_sliders_show_photographs_with_their_inputs_and_no_patches(runs: Runs) -> None:
    patches = {"file": "pictures/patches.jpg", "kind": "patches", "title": "not ours to show"}
    for folder in runs.networks(*TWO, pictures=[patches, *entries("street")]):
        save(folder / "pictures/patches.jpg", scene())
    found = slides(gather(runs.folder), range(2))
    ((name, before),) = found.untouched.items()
    assert sorted(found.enhanced) == ["0", "1"]
    for (picture,) in found.enhanced.values():
        assert picture["photograph"] == name
        assert picture["uri"].startswith("data:image/webp;base64,")
        assert picture["uri"] != before


@pytest.mark.parametrize("pictures", [None, {}, "pictures", 3, [[]]])
def test_a_record_without_a_list_of_pictures_has_none(runs: Runs, pictures: Any) -> None:
    runs.networks(*TWO, pictures=pictures)
    assert runs.figures() == []
    assert on_sliders(runs) == {}


@pytest.mark.parametrize("key", ["..", "../trained", "."])
def test_a_key_is_no_way_out_of_the_folder_of_runs(runs: Runs, key: str) -> None:
    files = {"photograph": "pictures/after.png", "input": "pictures/before.png"}
    pair = [{"file": file, "kind": kind, "photograph": "street"} for kind, file in files.items()]
    folder = runs.network(make.PROPOSED, 0.91, 500.0, pictures=pair)
    for place in (folder, runs.folder, runs.folder / "trained"):
        for file in files.values():
            save(place / file, scene())
    assert len(on_sliders(runs)) == 1
    (folder / "record.json").write_text((folder / "record.json").read_text().replace(folder.name, key))
    assert on_sliders(runs) == {}
