"""The style that all printed figures share: colors, type, and how they become files or a part of the page.

The colors are Okabe and Ito's (2008), which color-blind readers can tell apart, a little darker for text; markers and
their filling repeat the distinction.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK, MUTED, GRID, PAPER = "#1b1f24", "#59636e", "#e4e7eb", "#ffffff"
BLUE, VERMILLION, GREEN, PURPLE, OCHRE = "#0072b2", "#c04a00", "#00795a", "#a3508a", "#8a6100"
#: Of families beside the paper's two, with green and purple: any two can be told apart without one kind of cone, too.
SAND, LAVENDER, INDIGO, BROWN, NAVY = "#aa8855", "#8877ff", "#1100bb", "#552211", "#222277"
#: The colors by the names that series have for them.
COLORS = {"ink": INK, "muted": MUTED, "grid": GRID, "paper": PAPER}
COLORS |= {"blue": BLUE, "vermillion": VERMILLION, "green": GREEN, "purple": PURPLE, "ochre": OCHRE}
COLORS |= {"sand": SAND, "lavender": LAVENDER, "indigo": INDIGO, "brown": BROWN, "navy": NAVY}
#: In a figure that is part of the page each color is a variable, which has another value in dark mode.
COLOR_VARIABLES = {color: f"--{name}" for name, color in COLORS.items()}
#: What matplotlib calls plotly's markers and dashes.
MARKERS = {"circle": "o", "diamond": "D", "triangle-up": "^", "square": "s", "triangle-down": "v"}
MARKERS |= {"cross": "P", "star": "*", "x": "X", "triangle-left": "<"}
DASHES: Mapping[str, Any] = {"solid": "-", "dash": (0, (5, 3)), "dot": (0, (2, 2))}
_DPI = 220
#: How much larger than on paper a figure may be on a screen.
_LARGEST_SCALE = 1.15
_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    **dict.fromkeys(("axes.spines.top", "axes.spines.right"), False),
    "text.color": INK,
    "text.parse_math": False,  # names come from records, where a dollar sign is a dollar sign
    **dict.fromkeys(("xtick.color", "ytick.color"), MUTED),
    **dict.fromkeys(("xtick.labelcolor", "ytick.labelcolor"), INK),
    "svg.hashsalt": "enhance_sweep",
    "svg.fonttype": "path",
    "figure.dpi": _DPI,
}


@dataclass(frozen=True)
class Shape:
    """A figure's size in inches, for a wide page or for a phone."""

    width: float
    height: float

    @property
    def is_wide(self) -> bool:
        """Whether there is room for things side by side."""
        return self.width > 6


WIDE, NARROW = Shape(9.0, 5.6), Shape(4.3, 5.6)


def style() -> Any:
    """The context in which figures are made and written."""
    return mpl.rc_context(_STYLE)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches, without any state of pyplot's."""
    figure = Figure(figsize=(width, height), facecolor=PAPER, dpi=_DPI)
    FigureCanvasAgg(figure)
    return figure


def png(figure: Figure, dpi: int = _DPI) -> bytes:
    """The figure as a PNG file, by default sharp on a high-resolution screen and in print."""
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format="png", dpi=dpi, facecolor=PAPER, metadata={"Software": None})
    return buffer.getvalue()


def svg(figure: Figure) -> str:
    """The figure as an SVG file; the same records give the same bytes."""
    buffer = io.StringIO()
    with style():
        figure.savefig(buffer, format="svg", dpi=_DPI, facecolor=PAPER, metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def embedded_svg(text: str, prefix: str, description: str) -> str:
    """Make an SVG file a part of a page: with unique ids, the page's colors, and a size that the page sets.

    Args:
        text: what `svg` gave.
        prefix: put before every id, as a page may hold several figures.
        description: for readers who cannot see it; escaped here.
    """
    body = text[text.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="{prefix}-', body)
    body = body.replace('href="#', f'href="#{prefix}-').replace("url(#", f"url(#{prefix}-")
    for color, variable in COLOR_VARIABLES.items():
        body = body.replace(color, f"var({variable})")
    head, _, rest = body.partition(">")
    # A figure of few panels is not enlarged to the page's width: its type would be larger than its neighbors'.
    width_pt = re.search(r' width="([\d.]+)pt"', head)
    limit = f' style="max-width: {float(width_pt[1]) * _LARGEST_SCALE / 12:.1f}rem"' if width_pt else ""
    head = re.sub(r' (?:width|height)="[^"]*"', "", head)
    return f'{head}{limit} role="img" aria-label="{escape(description, quote=True)}">{rest}'
