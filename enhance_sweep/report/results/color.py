"""Whether networks keep the color of photographs: a verdict on each, which tables, figures and sentences repeat."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from enhance_sweep.measures import CHROMA_RATIO_LIMITS, LEAST_CHROMA
from enhance_sweep.records.schema import Scores, TrainedRecord
from enhance_sweep.report.labels import decimals
from enhance_sweep.report.results.variants import usual

TOO_LITTLE, TOO_MUCH = "too little color", "too much color"


def color_faults(variants: pd.DataFrame, trained: Sequence[TrainedRecord]) -> "pd.Series[Any]":
    """What is wrong with the color of each row's outputs: `TOO_LITTLE`, `TOO_MUCH`, or "".

    "" too where it is not known, and everywhere where there is none to keep (`gray_images`).
    """
    faults = pd.Series("", index=variants.index, dtype=object)
    if gray_images(trained):
        return faults
    low, high = CHROMA_RATIO_LIMITS
    ratios = variants["chroma_ratio"].astype("float64")
    return faults.mask(ratios < low, TOO_LITTLE).mask(ratios > high, TOO_MUCH)


def gray_images(trained: Sequence[TrainedRecord]) -> str:
    """Which of the test images are gray, so that networks' color is not judged: targets, inputs, or "" for neither."""
    chroma = {
        "targets": _usual_chroma([record.scores for record in trained], "target_chroma"),
        "inputs": _usual_chroma([record.untouched for record in trained], "chroma"),
    }
    return next((name for name, value in chroma.items() if value is not None and value < LEAST_CHROMA), "")


def _usual_chroma(scores: Sequence[Scores | None], name: str) -> float | None:
    return usual(pd.Series([getattr(one, name) for one in scores if one is not None], dtype="float64"))


def color_tag_of(facts: "Mapping[Any, Any] | pd.Series[Any]") -> str:
    """The mark of a row of the variants in a table, such as `too little color: 0.31`; "" for one without a fault."""
    fault = facts.get("color_fault")
    return f"{fault}: {decimals(facts['chroma_ratio'], 2)}" if fault else ""
