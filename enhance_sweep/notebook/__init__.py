"""What `notebooks/frontier.ipynb` shows: tables with units, figures, files to take away. It computes nothing anew."""

from enhance_sweep.notebook.export import export
from enhance_sweep.notebook.figures import Picture, effects_figure, frontier_figure, shares_figure
from enhance_sweep.notebook.tables import (
    as_latex,
    as_markdown,
    effects_table,
    first_existing,
    networks_table,
    pairs_table,
    shares_table,
    summary_table,
)

__all__ = [
    "Picture",
    "as_latex",
    "as_markdown",
    "effects_figure",
    "effects_table",
    "export",
    "first_existing",
    "frontier_figure",
    "networks_table",
    "pairs_table",
    "shares_figure",
    "shares_table",
    "summary_table",
]
