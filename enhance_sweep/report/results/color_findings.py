"""What a report says first of the networks' color."""

from typing import Any

import pandas as pd

from enhance_sweep.measures import CHROMA_RATIO_LIMITS
from enhance_sweep.report.results.color import TOO_LITTLE, TOO_MUCH, gray_images
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.words import paragraphs

#: More networks than this are counted, not named.
_MOST_NAMED = 12


def color_sentences(results: Results) -> list[str]:
    """Which networks have too little or too much color, or that none has; nothing where no color was scored."""
    judged = results.variants[results.variants["chroma_ratio"].notna()]
    gray = gray_images(results.trained)
    if judged.empty and not gray:
        return []
    faults = [_group(results, judged, fault) for fault in (TOO_LITTLE, TOO_MUCH)]
    facts = {
        "gray": gray,
        "judged": len(judged),
        "faults": [fault for fault in faults if fault["ratios"]],
        "ratios_of_all": judged["chroma_ratio"].tolist(),
        "untouched": results.untouched["chroma_ratio"],
        "limits": CHROMA_RATIO_LIMITS,
    }
    return paragraphs("color", facts)


def _group(results: Results, judged: pd.DataFrame, fault: str) -> dict[str, Any]:
    """The networks with one fault, the worst first."""
    rows = judged[judged["color_fault"] == fault].sort_values("chroma_ratio", ascending=fault == TOO_LITTLE)
    marked = len(results.training_conditions) > 1
    names = [
        f"{label} (trained as {condition})" if marked else label
        for label, condition in zip(rows["label"], rows["condition"], strict=True)
    ]
    named, more = names[:_MOST_NAMED], len(names[_MOST_NAMED:])
    return {"fault": fault, "ratios": rows["chroma_ratio"].tolist(), "named": named, "more": more}
