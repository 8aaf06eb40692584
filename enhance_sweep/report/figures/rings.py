"""Rings around the networks whose outputs have too little or too much color."""

from collections.abc import Iterable
from dataclasses import replace

import pandas as pd

from enhance_sweep.report.figures.series import Point
from enhance_sweep.report.results.color import color_tag_of


def ringed(points: Iterable[Point], variants: pd.DataFrame) -> list[Point]:
    """The points, those of such networks ringed and with a line for the pointer that says so."""
    tags = {row: color_tag_of(variants.loc[row]) for row in variants.index[variants["color_fault"] != ""]}
    return [
        replace(point, ringed=True, hover=(*point.hover, f"{tags[point.row]} of the targets'"))
        if point.row in tags
        else point
        for point in points
    ]
