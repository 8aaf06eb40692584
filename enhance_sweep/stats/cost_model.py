"""How long a network will take, from its layers alone.

Four things cost time: arithmetic, memory traffic, moving pixels between places, and starting each operation. A search
skips what cannot win without timing it; so the model is small, its coefficients mean something, and its error is known
on networks that it has not seen (`benchmarks/cost_model.py`).
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from msgspec import convert

from enhance_sweep.records.schema import Description, Layer

_BYTES = 4  # fp32
#: Output channels that are computed at once: a vector of fp32 (AVX-512). A convolution with fewer takes as long.
_VECTOR = 16
#: Passes over its input and its output that a layer takes where it is not one each. A channels-last instance norm goes
#: over its features five times; an activation finds half of them in the caches, where the layer before has left them.
_PASSES = {"InstanceNorm2d": 5.0} | dict.fromkeys(("LeakyReLU", "PReLU", "ReLU", "Sigmoid", "Tanh"), 0.5)
#: The same of operations outside of layers, whose origins lie further apart.
_JOIN_PASSES = 1.3
#: What moves pixels between places, and computes little: shuffles and enlargements.
_MOVING = ("PixelShuffle", "PixelUnshuffle", "Upsample", "Upsampling", "GridSample")
#: Of a gradient, relative to the costs: rounding makes it no smaller.
_TOLERANCE = 1e-14

Array = np.ndarray[Any, np.dtype[np.float64]]
#: A network's layers as `enhance_sweep.models.description` or a record describes them.
Described = Description | Mapping[str, Any]


@dataclass(frozen=True)
class CostModel:
    """Latency as a sum of four costs, none of them negative.

    Attributes:
        ms_per_gmac: of arithmetic, for 10^9 multiply-adds; output channels count in whole vectors.
        ms_per_gib: of activations read and written, for 2^30 bytes.
        ms_per_layer: of starting an operation.
        ms_per_moved_gib: of activations that change places, for 2^30 bytes read and written.
    """

    ms_per_gmac: float
    ms_per_gib: float
    ms_per_layer: float
    ms_per_moved_gib: float = 0.0

    @classmethod
    def fit(cls, descriptions: Sequence[Described], latencies_ms: Sequence[float]) -> "CostModel":
        """The coefficients with the least squared relative error: 10% counts the same for a small and a large network.

        Raises:
            ValueError: fewer than three networks, or not one latency each.
        """
        if len(descriptions) != len(latencies_ms) or len(descriptions) < 3:
            raise ValueError(
                f"a cost model needs at least three networks and a latency for each, "
                f"got {len(descriptions)} and {len(latencies_ms)}"
            )
        coefficients = _least_squares(_costs_of(descriptions), np.asarray(latencies_ms, dtype=float))
        return cls(*(float(coefficient) for coefficient in coefficients))

    def predict_ms(self, description: Described) -> float:
        """How long a network takes, under the measurement that the model was fitted on."""
        gmacs, gib, layers, moved_gib = costs(description)
        return (
            self.ms_per_gmac * gmacs
            + self.ms_per_gib * gib
            + self.ms_per_layer * layers
            + self.ms_per_moved_gib * moved_gib
        )


def _costs_of(descriptions: Sequence[Described]) -> Array:
    return np.array([costs(description) for description in descriptions])


def _least_squares(asked: Array, latencies_ms: Array) -> Array:
    """The coefficients, none negative, of (networks, 4) costs and (networks,) latencies.

    By the active sets of Lawson & Hanson 1974, ch. 23; `scipy.optimize` takes a quarter of a second to import.
    """
    relative = asked / latencies_ms[:, None]
    found, used = np.zeros(relative.shape[1]), np.zeros(relative.shape[1], dtype=bool)
    for _ in range(3 * len(found)):  # rounding can make it try the same again
        gain = np.where(used, 0.0, relative.T @ (1 - relative @ found))
        if gain.max() <= _TOLERANCE * np.abs(relative).sum():
            break
        used[gain.argmax()] = True
        while True:
            tried = np.zeros_like(found)
            tried[used] = np.linalg.lstsq(relative[:, used], np.ones(len(relative)), rcond=None)[0]
            negative = used & (tried < 0)
            if not negative.any():
                break
            # As far as the first coefficient that reaches 0, which is used no longer.
            steps = found[negative] / (found[negative] - tried[negative])
            found += steps.min() * (tried - found)
            used[np.flatnonzero(negative)[steps.argmin()]] = False
            found[~used] = 0
        found = tried
    return found


def costs(description: Described) -> tuple[float, float, float, float]:
    """What a network asks for: 10^9 multiply-adds, 2^30 bytes read and written, operations, 2^30 bytes moved.

    Operations outside of layers count too, where the description has them (`Join.values`).
    """
    known = description if isinstance(description, Description) else convert(description, Description)
    moving = [one for one in known.layers if one.kind.startswith(_MOVING)]
    others = [one for one in known.layers if not one.kind.startswith(_MOVING)]
    traffic = sum(map(_values_moved, others)) + _JOIN_PASSES * sum(join.values for join in known.joins)
    operations = len(known.layers) + sum(join.operations for join in known.joins if join.values)
    to_gib = _BYTES / 2**30
    return (
        sum(map(_macs_in_vectors, known.layers)) / 1e9,
        traffic * to_gib,
        float(operations),
        sum(map(_values_moved, moving)) * to_gib,
    )


def _macs_in_vectors(layer: Layer) -> float:
    """Multiply-adds with each group's output channels filled up to whole vectors; depthwise ones as they are."""
    channels = layer.out_channels // max(layer.groups, 1)
    if channels <= 1:
        return float(layer.macs)
    return layer.macs * (-(-channels // _VECTOR) * _VECTOR) / channels


def _values_moved(layer: Layer) -> float:
    """Activations that a layer reads and writes; statistics of every `step`-th pixel read next to nothing."""
    if layer.step > 1:
        return 0.0 if layer.height * layer.width == 1 else layer.read + layer.written
    return _PASSES.get(layer.kind, 1) * (layer.read + layer.written)


def left_out_errors(
    descriptions: Sequence[Described], latencies_ms: Sequence[float], groups: Sequence[Hashable] | None = None
) -> list[float]:
    """The relative error of each prediction by a model that has not seen that network (0.1: 10% too slow).

    Args:
        descriptions: of networks that were timed.
        latencies_ms: their times, under one measurement.
        groups: networks of the same group are left out together, which shows how far the model reaches beyond what it
            knows; each network is its own group unless given.
    """
    asked, latencies = _costs_of(descriptions), np.asarray(latencies_ms, dtype=float)
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups or range(len(latencies))))}
    group_of = np.array([numbers[group] for group in groups or range(len(latencies))])
    errors = np.zeros(len(latencies))
    for group in numbers.values():
        out = group_of == group
        if (~out).sum() < 3:
            raise ValueError(f"a cost model needs at least three networks, got {(~out).sum()} beside a group left out")
        errors[out] = asked[out] @ _least_squares(asked[~out], latencies[~out]) / latencies[out] - 1
    return [float(error) for error in errors]


#: A family is known once so many of its networks have been timed.
FEWEST_OF_FAMILY = 2
#: Of left-out errors: within which share of them an interval holds.
_SHARE = 0.9


@dataclass(frozen=True)
class Predictor:
    """A cost model that says how sure it is, by its errors on networks and on families that it had not seen.

    Attributes:
        model: fitted on all networks.
        families: those of which enough networks were timed.
        known_error: by which factor, less 1, nine in ten predictions within these families are off at most.
        unknown_error: the same of families that were left out as a whole; infinite where that cannot be tried.
    """

    model: CostModel
    families: frozenset[Hashable]
    known_error: float
    unknown_error: float

    @classmethod
    def fit(
        cls, descriptions: Sequence[Described], latencies_ms: Sequence[float], families: Sequence[Hashable]
    ) -> "Predictor":
        """Fit a cost model, and find its errors.

        Args:
            descriptions: of networks that were timed.
            latencies_ms: their times, under one measurement.
            families: of each.

        Raises:
            ValueError: fewer than three networks, or not one latency and one family each.
        """
        if len(families) != len(descriptions):
            raise ValueError(f"expected a family for each network, got {len(families)} and {len(descriptions)}")
        counts = {family: list(families).count(family) for family in dict.fromkeys(families)}
        return cls(
            CostModel.fit(descriptions, latencies_ms),
            frozenset(family for family, count in counts.items() if count >= FEWEST_OF_FAMILY),
            _factor(descriptions, latencies_ms, None),
            _factor(descriptions, latencies_ms, families) if len(counts) > 1 else float("inf"),
        )

    def interval_ms(self, description: Described, family: Hashable) -> tuple[float, float, float]:
        """The predicted latency, and the ends of the interval that holds it in nine of ten cases."""
        predicted_ms = self.model.predict_ms(description)
        factor = 1 + (self.known_error if family in self.families else self.unknown_error)
        return predicted_ms, predicted_ms / factor, predicted_ms * factor


def _factor(
    descriptions: Sequence[Described], latencies_ms: Sequence[float], families: Sequence[Hashable] | None
) -> float:
    """By which factor, less 1, most left-out predictions are off at most; infinite where too few are left to fit."""
    try:
        errors = left_out_errors(descriptions, latencies_ms, families)
    except ValueError:
        return float("inf")
    off = np.abs(np.log(np.maximum(np.asarray(errors) + 1, 1e-9)))
    return float(np.expm1(np.quantile(off, _SHARE)))
