"""A figure's content as plain data: the page's charts and the printed figures draw the same series."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from enhance_sweep.measures import MEASURES, Measure
from enhance_sweep.report.labels import decimals
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.results.references import references


@dataclass(frozen=True)
class Look:
    """Color and marker of a group, by the names of the page's color variables and of plotly's symbols."""

    color: str
    marker: str
    on_page_only: bool = False


#: Plain networks', strided ones', and those of further topologies.
LOOKS = (
    Look("blue", "circle"),
    Look("vermillion", "diamond"),
    Look("green", "triangle-up"),
    Look("purple", "square"),
    Look("ochre", "triangle-down"),
)


def looks_of(topologies: Iterable[str]) -> dict[str, Look]:
    """The look of each topology, in their order; plain and strided networks look the same in all figures."""
    present = dict.fromkeys(map(str, topologies))
    others = sorted(present.keys() - {"plain", "strided"})
    looks = {"plain": LOOKS[0], "strided": LOOKS[1]}
    looks |= {name: _look_of_another(number) for number, name in enumerate(others)}
    return {name: looks[name] for name in present}


def _look_of_another(number: int) -> Look:
    """Color and marker change together while there are colors; then each color gets the others' markers."""
    further = LOOKS[2:]
    turn, place = divmod(number, len(further))
    return Look(further[place].color, LOOKS[(2 + place + turn) % len(LOOKS)].marker)


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
