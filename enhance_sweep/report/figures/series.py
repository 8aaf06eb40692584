"""A figure's content as plain data: the page's charts and the printed figures draw the same series."""

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from enhance_sweep.measures import MEASURES, Measure
from enhance_sweep.report.labels import cut_name, decimals, topology_name
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.results.references import references


@dataclass(frozen=True)
class Look:
    """Color and marker of a group, by the names of the page's color variables and of plotly's symbols."""

    color: str
    marker: str
    on_page_only: bool = False


#: Families with a look of their own, in the order of legends: the same in all figures of all reports.
_FAMILIES = ("plain", "strided", "shuffled", "coefficients", "separable", "unet", "tone", "srcnn")
#: The looks of these, and of the first further topology. Color and marker differ between any two.
LOOKS = (
    Look("blue", "circle"),
    Look("vermillion", "diamond"),
    Look("green", "triangle-up"),
    Look("purple", "square"),
    Look("sand", "triangle-down"),
    Look("lavender", "cross"),
    Look("indigo", "star"),
    Look("brown", "x"),
    Look("navy", "triangle-left"),
)


def looks_of(topologies: Iterable[str]) -> dict[str, Look]:
    """The look of each topology, in the order of legends: families with a look of their own, then others by name."""
    present = set(map(str, topologies))
    others = sorted(present - set(_FAMILIES))
    looks = dict(zip(_FAMILIES, LOOKS, strict=False))
    looks |= {name: _look_of_another(number) for number, name in enumerate(others)}
    return {name: look for name, look in looks.items() if name in present}


def _look_of_another(number: int) -> Look:
    """The looks that no family has; then each color with the others' markers."""
    own = LOOKS[len(_FAMILIES) :]
    if number < len(own):
        return own[number]
    turn, place = divmod(number - len(own), len(LOOKS))
    return Look(LOOKS[place].color, LOOKS[(place + 1 + turn) % len(LOOKS)].marker)


#: What a ring around a point means, for legends.
RINGED = "too little or too much color"


@dataclass(frozen=True)
class Point:
    """One marker.

    Attributes:
        group: its topology or another kind; a key of `Series.looks`.
        hover: the pointer's lines below the label.
        row: the row of `Results.variants` that a click opens.
        hollow: whether it lies below the untouched input.
        ringed: whether its outputs have too little or too much color.
        stands_out: whether it is drawn in front where there are many: the frontier, the baseline, the paper's pick.
        rank: higher ranks are named first where there is no room for all names; 0: never, 1: only where all are.
        x_interval, y_interval: the ends of the 95% intervals.
    """

    x: float
    y: float
    group: str
    label: str
    hover: tuple[str, ...] = ()
    row: int | None = None
    hollow: bool = False
    ringed: bool = False
    stands_out: bool = False
    rank: int = 0
    x_interval: tuple[float, float] | None = None
    y_interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Line:
    """A line through the data; `dash` is solid, dash or dot."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    color: str
    width: float
    dash: str


@dataclass(frozen=True)
class Level:
    """A horizontal line: the score of the untouched input, or of a network that others have trained."""

    value: float
    text: str
    is_untouched: bool


@dataclass(frozen=True)
class Axis:
    """An axis.

    Attributes:
        unit: follows each tick's number.
        is_reversed: whether large values are on the left, as the paper has slow networks there, or below, where less is
            better.
        digits: of each tick's number behind the point.
        least_span: smaller differences do not fill the axis.
    """

    title: str
    unit: str = ""
    log: bool = True
    is_reversed: bool = False
    digits: int | None = None
    least_span: float = 0.0


@dataclass(frozen=True)
class UpperAxis:
    """A second scale at the top: the values of the first times `factor`."""

    title: str
    factor: float


@dataclass(frozen=True)
class Series:
    """A figure of points and lines; `looks` has the groups in the order of the legend."""

    title: str
    x: Axis
    y: Axis
    points: tuple[Point, ...]
    looks: Mapping[str, Look]
    lines: tuple[Line, ...] = ()
    levels: tuple[Level, ...] = ()
    upper: UpperAxis | None = None

    @property
    def untouched(self) -> Level | None:
        """The level of the untouched input."""
        return next((level for level in self.levels if level.is_untouched), None)


def title_of(dataset: str | None, loss: str | None, steps: Collection[int]) -> str:
    """A title of what a figure's networks have in common: data set, loss and number of generator steps."""
    training = f"{int(*steps):,} steps" if len(steps) == 1 else "different numbers of steps" if len(steps) else None
    return " · ".join(part for part in (dataset, loss and f"{loss} loss", training) if part)


def levels_of(results: Results, measure: str) -> tuple[Level, ...]:
    """The scores of the untouched input, and of published networks on these test images."""
    if measure not in MEASURES:
        return ()
    untouched, digits = results.untouched[measure], MEASURES[measure].digits
    found = [] if untouched is None else [untouched_level(untouched, MEASURES[measure])]
    for reference in references(results):
        if (score := getattr(reference, measure, None)) is not None:
            found.append(Level(score, f"{reference.name} {decimals(score, digits)}", is_untouched=False))
    return tuple(found)


def untouched_level(score: float, measure: Measure) -> Level:
    """The line at the untouched input's score."""
    return Level(score, f"untouched input {decimals(score, measure.digits)}", is_untouched=True)


def marks_of(results: Results) -> list[str]:
    """For each row of the variants, the suffix of its label: the mark of how it was trained, if not the usual way."""
    usual = {condition.mark for condition in results.training_conditions[:1]}
    return [
        f" [{mark}]" if isinstance(mark, str) and mark not in usual else "" for mark in results.variants["condition"]
    ]


def named_points(points: Sequence[Point], x: Axis, y: Axis, most_of_few: int, most_of_many: int) -> list[Point]:
    """The points whose names stand in a figure, the first ones first where there is no room for all.

    Args:
        points: of the series.
        x, y: its axes.
        most_of_few: as many points can all be named, if they have a rank. Of more only those that stand out are.
        most_of_many: of more points that stand out, the axis is divided into so many stretches, and of each one is
            named: the one of the highest rank, among equals the best.
    """
    named = [point for point in points if point.rank]
    are_few = len(named) <= most_of_few
    if not are_few:
        named = [point for point in named if point.stands_out]
    sign = -1 if y.is_reversed else 1
    named.sort(key=lambda point: (-point.rank, -sign * point.y))
    if are_few or len(named) <= most_of_many:
        return named
    places = [math.log(point.x) if x.log else point.x for point in named]
    low, width = min(places), (max(places) - min(places)) / most_of_many or 1.0
    first_of: dict[int, Point] = {}
    for point, place in zip(named, places, strict=True):
        first_of.setdefault(min(int((place - low) / width), most_of_many - 1), point)
    kept = set(first_of.values())
    return [point for point in named if point in kept]


def with_intervals(points: Sequence[Point], most: int) -> list[Point]:
    """The points whose intervals are drawn: all, or of more than `most` those that stand out."""
    return list(points) if len(points) <= most else [point for point in points if point.stands_out]


#: What the paper's notation means; further topologies with these three settings are written like plain ones.
_NOTATION = {"plain": "{k, c, b}", "strided": "{k-s, c}"}
_SIZES = re.compile(r"\{\d+, \d+, \d+[,}]")


def legend_name(series: Series, group: str) -> str:
    """What a legend calls a group: its topology, with what the names of its networks mean where that is the same."""
    name = topology_name(group)
    if series.looks[group].on_page_only:  # files and single seeds, which are no topology
        return name
    labels = [point.label.removeprefix(f"{name} ") for point in series.points if point.group == group]
    alike = group not in _NOTATION and labels and all(map(_SIZES.match, labels))
    notation = "{k, c, b}" if alike else _NOTATION.get(group)
    return f"{name} {notation}" if notation else name


def short_name(point: Point) -> str:
    """A network's name beside its point: without its topology, which its look tells, and cut if it is long."""
    prefix = f"{topology_name(point.group)} {{"
    return cut_name(point.label.removeprefix(prefix[:-1]) if point.label.startswith(prefix) else point.label)
