"""Tables as files, for a spreadsheet and for a text."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from enhance_sweep.notebook.tables import as_latex, as_markdown
from enhance_sweep.system.files import write_whole


def export(
    folder: str | Path, frames: Mapping[str, pd.DataFrame], tables: Mapping[str, pd.DataFrame] | None = None
) -> list[Path]:
    """Write figures as CSV, and tables that are meant to be read as Markdown and LaTeX.

    Args:
        folder: made where it is missing; files of the same names are replaced, each whole or not at all.
        frames: by name, what `enhance_sweep.what_if` gave: `NAME.csv`, full precision, a missing value empty.
        tables: by name, what `networks_table` and its neighbours made of it: `NAME.md` and `NAME.tex`.

    Returns:
        The paths of the files.
    """
    texts = {f"{name}.csv": frame.to_csv(index=False) for name, frame in frames.items()}
    for name, table in (tables or {}).items():
        texts |= {f"{name}.md": as_markdown(table), f"{name}.tex": as_latex(table)}
    for name, text in texts.items():
        write_whole(Path(folder) / name, text)
    return [Path(folder) / name for name in texts]
