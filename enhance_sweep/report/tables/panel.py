"""All scores of each network, measure by measure."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from enhance_sweep.measures import CHROMA_RATIO_LIMITS, MEASURES, Measure
from enhance_sweep.report.labels import decimals, is_number, signed
from enhance_sweep.report.results.agreement import panel_measures
from enhance_sweep.report.results.color import color_tag_of, gray_images
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.results.variants import best_in_order, in_order, plain_rows
from enhance_sweep.report.tables.model import MOST_ROWS, Cell, Column, Facts, Row, Table, to_csv
from enhance_sweep.report.words import phrase

FILE = "panel.csv"
UNTOUCHED = "Untouched input"
_NOT_SCORED = "not scored"
_CHROMA = Column("chroma_ratio", "Chroma ratio", "", partial(decimals, digits=2), _NOT_SCORED)


def panel_shown(results: Results) -> Table:
    """A row for each scored network, a column for each measure; without rows where only two measures were scored."""
    measures, scored = panel_measures(results), results.scored
    kept = best_in_order(scored, MOST_ROWS, results.quality) if measures else scored[:0]
    columns = (*map(_column, measures), _CHROMA)
    best = {one.name: one.sign * (one.sign * scored[one.name]).max() for one in measures}
    several = len(results.training_conditions) > 1
    rows = []
    for facts in plain_rows(kept):
        trained_as = f"trained as {facts['condition']}" if several else ""
        row = Row.of(columns, facts, str(facts["label"]), trained_as, color_tag_of(facts))
        cells = zip(columns, row.cells, strict=True)
        rows.append(replace(row, cells=tuple(_marked(column, cell, facts, best) for column, cell in cells)))
    return Table(
        "Every score",
        columns,
        tuple(rows),
        left_out=len(scored) - len(kept) if measures else 0,
        file=FILE,
        footer=Row(UNTOUCHED, "", tuple(column.cell(results.untouched) for column in columns)),
        notes=(phrase("panel", "scores", _facts(results)),),
    )


def panel_csv(results: Results) -> str:
    """The same for a spreadsheet, unrounded, the untouched input first; empty where only two measures were scored."""
    measures = panel_measures(results)
    if not measures:
        return ""
    own = [(one.name, f"{one.name}_error", f"gain_{one.name}") for one in measures]
    names = ["network", "condition", "seeds", *(name for some in own for name in some), "chroma_ratio", "color_fault"]
    networks = in_order(results.scored)
    untouched = {"network": UNTOUCHED, **results.untouched}
    return to_csv(
        [Column(name) for name in names], [untouched, *plain_rows(networks.assign(network=networks["label"]))]
    )


def _column(measure: Measure) -> Column:
    unit = f", {measure.unit}" if measure.unit else ""
    direction = " ↑" if measure.higher_is_better else " ↓"
    text = partial(decimals, digits=measure.digits)
    return Column(measure.name, f"{measure.label}{unit}{direction}", "", text, _NOT_SCORED)


def _marked(column: Column, cell: Cell, facts: Facts, best: Mapping[str, float]) -> Cell:
    """The cell with its mark: the best of its column, worse than the untouched input, or too far from the target."""
    measure, value = MEASURES.get(column.key), facts.get(column.key)
    if not is_number(value):
        return cell
    if measure is None:
        return replace(cell, kind="worse") if facts["color_fault"] else cell
    gain = facts[f"gain_{measure.name}"]
    below = is_number(gain) and gain < 0
    text = f"{cell.text} ({signed(gain, measure.digits)})" if below else cell.text
    kinds = ("best" if value == best[measure.name] else "", "worse" if below else "")
    return replace(cell, text=text, kind=" ".join(filter(None, kinds)))


def _facts(results: Results) -> dict[str, Any]:
    gains = [f"gain_{one.name}" for one in panel_measures(results)]
    return {
        "below": bool((results.scored[gains] < 0).any(axis=None)),
        "color": bool(results.scored["chroma_ratio"].notna().any()),
        "unscored": any(record.scores is not None and record.scores.lacks_measures for record in results.trained),
        "gray": gray_images(results.trained),
        "limits": CHROMA_RATIO_LIMITS,
    }
