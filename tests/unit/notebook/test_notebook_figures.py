"""Figures show the answers' own values."""

import struct

import pandas as pd
import pytest

from enhance_sweep import notebook as show
from enhance_sweep import what_if


def test_the_frontier_is_of_just_these_records(photos: pd.DataFrame) -> None:
    figure = show.frontier_figure(photos[photos["channels"] == 32])
    labels = {text.get_text() for text in figure.texts}
    assert {"{3, 32, 1}", "{3, 32, 4}"} < labels
    assert "{3, 16, 1}" not in labels
    assert "latency in ms" in figure.axes[-1].get_xlabel()
    drawn = {tuple(point) for line in figure.axes[0].lines for point in zip(*line.get_data(), strict=True)}
    row = photos[(photos["channels"] == 32) & (photos["blocks"] == 1)].iloc[0]
    assert (row["latency_ms_median"], row["ms_ssim"]) in drawn


def test_without_times_the_frontier_is_over_multiply_adds(photos: pd.DataFrame) -> None:
    figure = show.frontier_figure(photos.assign(latency_ms_median=float("nan")))
    assert "multiply-adds" in figure.axes[-1].get_xlabel()


def test_every_pair_is_a_dot_and_every_change_a_row(photos: pd.DataFrame) -> None:
    figure = show.effects_figure(photos)
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert names == ["channels 16 → 32", "channels 32 → 64", "blocks 1 → 2", "blocks 2 → 3", "blocks 3 → 4"]
    for panel, measure in zip(figure.axes, ("ms_ssim_difference", "latency_ms_median_ratio"), strict=True):
        dots = sorted(x for line in panel.lines if line.get_marker() == "o" for x in line.get_xdata())
        pairs = pd.concat([what_if.effect_of(photos, axis) for axis in ("channels", "blocks")])
        assert dots == sorted(pairs[measure])


def test_what_is_only_timed_has_a_panel_of_times_alone(timing: pd.DataFrame) -> None:
    figure = show.effects_figure(timing)
    assert len(figure.axes) == 1
    assert "latency" in figure.axes[0].get_xlabel()


def test_bars_are_the_shares_and_an_unknown_one_has_its_reason(photos: pd.DataFrame) -> None:
    shares = {"MS-SSIM": what_if.shares_of_variance(photos)}
    (panel,) = show.shares_figure(shares).axes
    known = shares["MS-SSIM"].dropna(subset=["share"])
    assert [patch.get_width() for patch in panel.patches] == pytest.approx(list(known["share"]))
    texts = [text.get_text() for text in panel.texts]
    assert "not known: plain in all networks" in texts
    assert f"{known['share'].iloc[0]:.0%}" in texts


def test_where_there_is_nothing_to_draw_there_is_a_sentence(photos: pd.DataFrame, timing: pd.DataFrame) -> None:
    assert show.frontier_figure(timing) is None
    assert show.effects_figure(photos.head(1)) is None
    assert show.shares_figure({"MS-SSIM": what_if.shares_of_variance(photos.head(1))}) is None
    picture = show.Picture(None, "Nothing here.")
    assert picture._repr_png_() is None
    assert picture._repr_markdown_() == repr(picture) == "Nothing here."


def test_a_picture_is_shown_at_the_size_it_was_drawn_for(photos: pd.DataFrame) -> None:
    picture = show.Picture(show.effects_figure(photos))
    png, size = picture._repr_png_()
    width, height = struct.unpack(">II", png[16:24])
    assert png.startswith(b"\x89PNG")
    assert size["width"] == 864
    assert width / size["width"] == pytest.approx(height / size["height"], rel=0.01)
    assert width > 1.5 * size["width"]
    assert picture._repr_markdown_() is None
