"""How to search: the typed schema of `conf/search/*.yaml`."""

import math
from dataclasses import dataclass, field
from typing import Any

LATENCIES = ("measured", "predicted")


@dataclass  # not frozen: Hydra fills it in
class SearchSettings:
    """One way to search. See conf/search/default.yaml for the meanings.

    Raises:
        ValueError: a value out of its range, by name.
    """

    trials: int = 100
    cohort: int = 24
    max_latency_ms: float | None = None
    latency: str = "measured"
    first_rung: int = 75
    reduction_factor: float = 2.0
    finalists: int = 4
    saturation: float | None = 4.0
    storage: str | None = None
    sampler: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot be searched with."""
        for name in ("trials", "cohort", "first_rung", "finalists"):
            if getattr(self, name) < 1:
                raise ValueError(f"search.{name}: expected at least 1, got {getattr(self, name)}")
        if self.latency not in LATENCIES:
            raise ValueError(f"search.latency: expected one of {', '.join(LATENCIES)}, got {self.latency!r}")
        if self.max_latency_ms is not None and not 0 < self.max_latency_ms < math.inf:
            raise ValueError(f"search.max_latency_ms: expected a positive number or null, got {self.max_latency_ms}")
        for name in ("reduction_factor", "saturation"):
            value = getattr(self, name)
            if value is not None and not 1 < value < math.inf:
                raise ValueError(f"search.{name}: expected a number above 1, got {value}")
