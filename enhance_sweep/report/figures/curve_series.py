"""Quality and losses against steps, as training noted them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from enhance_sweep.measures import MEASURES
from enhance_sweep.paper import BASELINE_SLUG
from enhance_sweep.records.schema import TrainedRecord
from enhance_sweep.report.figures.series import Level, Look, levels_of, looks_of, marks_of
from enhance_sweep.report.labels import cut_name, is_number, topology_name
from enhance_sweep.report.results.curves import loss_curve
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.results.variants import in_order, rows_of

CURVES = {**{name: measure.title for name, measure in MEASURES.items()}, "loss": "training loss"}
#: With more networks than this, only those on the frontier and the published ones have curves.
MOST_CURVES = 60


@dataclass(frozen=True)
class Curve:
    """The curve of one network, of its first seed.

    Attributes:
        row: the row of `Results.variants` that a click opens.
        stands_out: whether it is the baseline's or on the frontier.
        family: the networks that differ from this one in `parameter` alone: a panel of the printed figure.
        value: of that parameter.
    """

    label: str
    row: int
    look: Look
    stands_out: bool
    family: str
    parameter: str
    value: str
    steps: list[int]
    values: list[float]


@dataclass(frozen=True)
class CurveSeries:
    """What `CURVES` names, against steps."""

    measure: str
    curves: tuple[Curve, ...]
    levels: tuple[Level, ...]


def curve_series(results: Results, measure: str) -> CurveSeries | None:
    """What `CURVES` names against steps, a curve for each network; None where there are no curves."""
    rows = results.variants.assign(mark=marks_of(results))
    rows = rows[rows["record"].notna()]
    if len(rows) > MOST_CURVES:
        rows = rows[rows["on_frontier"] | rows["published"].notna()].head(MOST_CURVES)
    looks = looks_of(results.variants["topology"])
    curves = []
    for row in rows_of(in_order(rows)):
        record = results.trained[int(row.record)]
        steps, values = noted(results, record, measure)
        if not steps:
            continue
        label, topology = str(row.label), str(row.topology)
        family, parameter, value = _family(record.architecture, label)
        remark = row.mark + ("" if row.trained == "completed" else f", {row.trained}")
        stands_out = bool(row.on_frontier) or row.slug == BASELINE_SLUG
        named = (family, parameter, value + remark)
        curves.append(Curve(label + remark, int(row.Index), looks[topology], stands_out, *named, steps, values))
    on_test = "validation" not in curves_on(results)
    return CurveSeries(measure, tuple(curves), levels_of(results, measure) if on_test else ()) if curves else None


def shown_curves(results: Results) -> dict[str, str]:
    """What each figure shows against steps: the measure that the report goes by, PSNR and the loss."""
    shown = {"quality": results.quality.name, "quality_psnr": "psnr_db", "losses": "loss"}
    return {name: measure for name, measure in shown.items() if name == "quality" or measure != results.quality.name}


def curves_on(results: Results) -> list[str]:
    """Which pairs curves are scored on: test, validation, or both in records of several versions."""
    return sorted({record.quality_on or "test" for record in results.trained if record.quality})


def noted(results: Results, record: TrainedRecord, measure: str) -> tuple[list[int], list[float]]:
    """Steps and values of what `CURVES` names in one training; two empty lists where nothing was noted."""
    if measure == "loss":
        return loss_curve(results.runs, record.key)
    points = [(point.step, getattr(point, measure)) for point in record.quality]
    known = [(step, value) for step, value in points if is_number(value)]
    return [step for step, _ in known], [value for _, value in known]


def _family(architecture: Mapping[str, Any], label: str) -> tuple[str, str, str]:
    """A network's family, the parameter in which the family's networks differ, and this network's value of it."""
    prelu = " PReLU" if architecture.get("prelu") else ""
    if not label.startswith("{"):
        return topology_name(str(architecture["topology"])), "", cut_name(label.partition(" ")[2] or label)
    if architecture["topology"] == "plain":
        family = f"plain {{{architecture['kernel_size']}, {architecture['channels']}, b}}"
        return family, "b = ", f"{architecture['blocks']}{prelu}"
    family = f"strided {{{architecture['kernel_size']}-{architecture['strided_kernel_size']}, c}}"
    blocks = architecture.get("blocks", 2)
    return family, "c = ", f"{architecture['channels']}{prelu}" + ("" if blocks == 2 else f", {blocks} blocks")
