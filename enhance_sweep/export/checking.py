"""Compare an export on real photographs with its network in eager fp32."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from enhance_sweep.export.formats import ExportError, Format, Runner
from enhance_sweep.export.photographs import Photograph, cropped
from enhance_sweep.metrics import psnr, scores_of
from enhance_sweep.stats.student import half_width

#: How close an export must be to eager fp32. This finds broken exports; the scores show what int8 costs in quality.
_LARGEST_ERROR_FP32 = 1e-3
_LEAST_PSNR_DB = {"fp16": 40.0, "bf16": 40.0, "int8": 20.0}

Array = np.ndarray[Any, np.dtype[np.float64]]
_MEASURES = ("psnr_db", "ms_ssim")


@dataclass(frozen=True)
class Scored:
    """Scores on each photograph, for the export and for eager fp32.

    Attributes:
        on: the photographs, in words.
        of_test_pairs: whether they are all of the run's own test pairs.
        names: of the photographs.
        exported, eager: by measure (`psnr_db`, `ms_ssim`), (N,); infinite where a pair is identical.
    """

    on: str
    of_test_pairs: bool
    names: list[str]
    exported: Mapping[str, Array]
    eager: Mapping[str, Array]

    def as_json(self) -> dict[str, Any]:
        """Means, and under `intervals` with their 95% intervals, eager's, and the paired difference to eager."""
        intervals = {}
        for measure in _MEASURES:
            both = np.isfinite(self.exported[measure]) & np.isfinite(self.eager[measure])
            exported, eager = self.exported[measure][both], self.eager[measure][both]
            intervals[measure] = mean_with_interval(exported)
            intervals[f"eager_{measure}"] = mean_with_interval(eager)
            intervals[f"{measure}_over_eager"] = mean_with_interval(exported - eager)
        means = {measure: intervals[measure]["mean"] for measure in _MEASURES}
        about = {"on": self.on, "of_test_pairs": self.of_test_pairs, "images": len(self.names)}
        return {**about, **means, "intervals": intervals}


def compare(network: nn.Module, run: Runner, kind: Format, precision: str, photographs: Sequence[Photograph]) -> Any:
    """Compare an export's results with eager fp32's on whole photographs of several sizes.

    Returns:
        `max_abs_error` and `psnr_db` (of the clipped results; None where they are the same) of the worst photograph,
        and the `sizes`, each width and height.

    Raises:
        ExportError: they are too far.
    """
    errors, psnrs, sizes, allowed = [], [], [], kind.sides(network)
    for one in photographs:
        fitting = cropped(one, allowed)
        reference, result = _eager(network, fitting.input), run(fitting.input)
        if result.shape != reference.shape:
            raise ExportError(f"{kind.name} {precision} gives {tuple(result.shape)}, eager {tuple(reference.shape)}")
        errors.append(float((result - reference).abs().max()))
        psnrs.append(float(psnr(result.clamp(0, 1), reference.clamp(0, 1))))
        sizes.append([fitting.input.shape[3], fitting.input.shape[2]])
    worst_db, largest = min(psnrs), max(errors)
    wrong = not largest <= _LARGEST_ERROR_FP32 if precision == "fp32" else not worst_db >= _LEAST_PSNR_DB[precision]
    if wrong:
        wanted = f"{_LARGEST_ERROR_FP32:g}" if precision == "fp32" else f"{_LEAST_PSNR_DB[precision]:g} dB"
        raise ExportError(
            f"{kind.name} {precision} differs from the network: expected within {wanted} of eager fp32, got "
            f"{largest:.2g} at most, {worst_db:.1f} dB"
        )
    return {"max_abs_error": largest, "psnr_db": worst_db if np.isfinite(worst_db) else None, "sizes": sizes}


def score(
    network: nn.Module, run: Runner, kind: Format, on: str, of_test_pairs: bool, photographs: Sequence[Photograph]
) -> Scored:
    """Score an export and eager fp32 on the same photographs, under the challenge's protocol."""
    exported: dict[str, list[float]] = {measure: [] for measure in _MEASURES}
    eager: dict[str, list[float]] = {measure: [] for measure in _MEASURES}
    allowed = kind.sides(network)
    for one in photographs:
        fitting = cropped(one, allowed)
        for scores, result in ((exported, run(fitting.input)), (eager, _eager(network, fitting.input))):
            for measure, values in scores_of(result, fitting.target, _MEASURES).items():
                scores[measure].append(float(values))
    return Scored(
        on,
        of_test_pairs,
        [one.name for one in photographs],
        {measure: np.array(values) for measure, values in exported.items()},
        {measure: np.array(values) for measure, values in eager.items()},
    )


def mean_with_interval(values: Array) -> dict[str, float | None]:
    """A mean over images with Student's 95% interval; no interval of one image, no mean of none."""
    count = len(values)
    if not count:
        return {"mean": None, "low": None, "high": None}
    mean = float(values.mean())
    if count < 2:
        return {"mean": mean, "low": None, "high": None}
    half = half_width(values)
    return {"mean": mean, "low": mean - half, "high": mean + half}


def _eager(network: nn.Module, input: Tensor) -> Tensor:
    with torch.inference_mode():
        enhanced: Tensor = network(input)
        return enhanced
