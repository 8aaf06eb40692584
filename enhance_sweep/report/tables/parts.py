"""Scores on each data set where networks learned from several (`data=mix`): a row per network."""

from functools import partial
from typing import Any

from enhance_sweep.records.frame import is_of_a_part
from enhance_sweep.report.labels import decimals
from enhance_sweep.report.results.color import color_tag_of
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.results.variants import in_order, plain_rows, usual
from enhance_sweep.report.tables.model import Column, Row, Table, cut, to_csv

FILE = "scores_by_part.csv"
_MEASURES = {"psnr_db": ("PSNR, dB", 2), "ms_ssim": ("MS-SSIM", 4)}


def parts_shown(results: Results) -> Table:
    """The table for people; without rows where there is one data set."""
    columns, facts = _columns(results), _facts(results)
    several = len(results.training_conditions) > 1
    rows = tuple(
        Row(
            one["label"],
            ", ".join(filter(None, [one["condition"] if several else "", color_tag_of(one)])),
            tuple(column.cell(one) for column in columns),
            opens=one["row"],
        )
        for one in facts
    )
    untouched = {column.key: usual(results.variants[f"untouched_{column.key}"]) for column in columns}
    return cut(
        Table(
            "Each data set apart",
            columns,
            rows if columns else (),
            file=FILE,
            footer=Row("Untouched input", "", tuple(column.cell(untouched) for column in columns)),
            notes=(_shares(results), "All other scores are means over the test pairs of all data sets together."),
        )
    )


def parts_csv(results: Results) -> str:
    """The table for spreadsheets; empty where there is one data set."""
    columns = _columns(results)
    told = (Column("label"), Column("condition"), Column("seeds"), *columns)
    return to_csv(told, _facts(results)) if columns else ""


def _columns(results: Results) -> tuple[Column, ...]:
    names = [name for name in map(str, results.variants) if is_of_a_part(name) and not name.startswith("untouched_")]
    parts = dict.fromkeys(name.partition("_on_")[2] for name in names)
    return tuple(
        Column(f"{measure}_on_{part}", part, title, partial(decimals, digits=places))
        for part in parts
        for measure, (title, places) in _MEASURES.items()
    )


def _facts(results: Results) -> list[dict[str, Any]]:
    return plain_rows(in_order(results.scored))


def _shares(results: Results) -> str:
    """Which shares of the training crops the data sets gave."""
    found = [record.learned_from.get("shares") or {} for record in results.trained]
    if not found or any(one != found[0] for one in found):
        return "Networks learned with different shares of the data sets."
    return f"Shares of the training crops: {', '.join(f'{name} {share:.0%}' for name, share in found[0].items())}."
