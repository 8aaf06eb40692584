"""The model of a table: columns described once, rows of cells; shown on the page, or written as CSV."""

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from enhance_sweep.report.results.variants import MOST_UNFOLDED
from enhance_sweep.report.words import phrase
from enhance_sweep.stats.speed_up import Ratio

NO_RECORD = "no record"
#: A page with more rows than this is slow to open; the CSV has them all.
MOST_ROWS = 200

#: A row's facts by name; unknown ones are None or absent.
Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """One column, on the page, in Markdown and in CSV.

    Attributes:
        key: its name in CSV, and the fact that it shows.
        group: its heading on the page, with the unit; neighbours under one heading form a group. Empty: CSV alone.
        title: its own heading within the group.
        text: writes the fact; None if there is nothing to write.
        missing: why there is no text, or a function of the row's facts that tells why.
        of: the facts that `text` takes, if not `key` alone.
        page: the tables that show it; empty: all tables of its list.
        csv: the CSV files that have it; empty: all files of its list.
        kind: its style: gain, paper, text, verdict.
        paper: the column of the paper's figures with whose order this one's is compared.
    """

    key: str
    group: str = ""
    title: str = ""
    text: Callable[..., str | None] = str
    missing: str | Callable[[Facts], str] = NO_RECORD
    of: tuple[str, ...] = ()
    page: tuple[str, ...] = ()
    csv: tuple[str, ...] = ()
    kind: str = ""
    paper: str = ""

    def cell(self, facts: Facts) -> "Cell":
        """The cell of a row."""
        values = [_known(facts.get(name)) for name in self.of or (self.key,)]
        text = None if values[0] is None else self.text(*values)
        if text is not None:
            return Cell(text)
        return Cell(self.missing if isinstance(self.missing, str) else self.missing(facts), missing=True)


@dataclass(frozen=True)
class Cell:
    """A cell's text; `missing` where it says why there is no figure. `kind` is its own style: best, worse."""

    text: str
    missing: bool = False
    kind: str = ""


@dataclass(frozen=True)
class Row:
    """A row: its name, what is special about it, its cells; the row of the variants that it opens."""

    name: str
    tag: str
    cells: tuple[Cell, ...]
    below: bool = False
    opens: int | None = None

    @classmethod
    def of(cls, columns: Sequence[Column], facts: Facts, name: str, *tags: str) -> "Row":
        """The row that facts make; empty tags are left out."""
        cells = tuple(column.cell(facts) for column in columns)
        return cls(name, ", ".join(filter(None, tags)), cells, bool(facts.get("below_untouched")), facts.get("row"))


@dataclass(frozen=True)
class Table:
    """A table as it is shown.

    Attributes:
        left_out: how many rows are in `file` alone.
        notes: paragraphs under it.
        words: whether it holds sentences, which are neither sorted nor aligned like figures.
        first: the heading over the rows' names.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    left_out: int = 0
    file: str = "variants.csv"
    footer: Row | None = None
    notes: tuple[str, ...] = ()
    words: bool = False
    first: str = "Network"

    @property
    def groups(self) -> list[tuple[str, tuple[str, ...]]]:
        """The headings of neighbouring columns, each with their own; that of a single column stands alone."""
        titles: dict[str, list[str]] = {}
        for column in self.columns:
            titles.setdefault(column.group, []).append(column.title)
        return [(title, tuple(some) if len(some) > 1 else ("",)) for title, some in titles.items()]

    @property
    def is_long(self) -> bool:
        """Whether the page folds it: shows its first rows, and the others when asked."""
        return len(self.rows) > MOST_UNFOLDED

    @property
    def left_out_note(self) -> str:
        """Where the rows are that are left out."""
        return phrase("notes", "left_out", {"table": self})

    def spans(self, row: Row) -> list[tuple[Cell, int, str]]:
        """A row's cells with the columns that each takes and its style classes.

        Neighbours of one group that are missing for the same reason share one cell.
        """
        spans: list[tuple[Cell, int, str]] = []
        group = None
        for column, cell in zip(self.columns, row.cells, strict=True):
            start, group = column.group != group, column.group
            if not start and cell.missing and spans[-1][0] == cell:
                spans[-1] = (cell, spans[-1][1] + 1, spans[-1][2])
                continue
            kinds = ("start" if start else "", "missing" if cell.missing else "", column.kind, cell.kind)
            spans.append((cell, 1, " ".join(filter(None, kinds))))
        return spans


def cut(table: Table) -> Table:
    """The table with as many rows as a page has room for."""
    return replace(table, rows=table.rows[:MOST_ROWS], left_out=len(table.rows[MOST_ROWS:]))


def shown_columns(columns: Sequence[Column], table: str = "", hidden: Iterable[str] = ()) -> tuple[Column, ...]:
    """The columns of a list that a table shows, those of one group together, without the hidden ones."""
    groups = list(dict.fromkeys(column.group for column in columns))
    hide = set(hidden)
    shown = [one for one in columns if one.group and one.key not in hide and (not one.page or table in one.page)]
    return tuple(sorted(shown, key=lambda column: groups.index(column.group)))


def csv_names(columns: Sequence[Column], table: str = "") -> list[str]:
    """The columns of a list that a CSV file has, by name."""
    return [one.key for one in columns if not one.csv or table in one.csv]


def to_csv(columns: Sequence[Column], rows: Iterable[Facts], table: str = "") -> str:
    """Rows for a spreadsheet: figures unrounded, nothing where nothing is known."""
    return csv_text(pd.DataFrame(list(rows), columns=csv_names(columns, table), dtype=object))


def csv_text(frame: pd.DataFrame) -> str:
    """A table for a spreadsheet, as `DataFrame.to_csv` writes it, which takes three times as long for thousands."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(frame.columns)
    columns = (column.where(column.notna(), None).tolist() for _, column in frame.astype(object).items())
    writer.writerows(zip(*columns, strict=True))
    return text.getvalue()


def ratio_facts(name: str, ratio: Ratio | None) -> dict[str, float | None]:
    """A speed-up with its interval: `name`, `name_low`, `name_high`."""
    values = (None, None, None) if ratio is None else (ratio.median, ratio.low, ratio.high)
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))


def _known(value: Any) -> Any:
    """A value, or None for one that is no finite number."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
