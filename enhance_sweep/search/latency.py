"""The latency of each network, known before any training: measured, or predicted from measured ones."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from enhance_sweep.records.keys import architecture_key, measured_key
from enhance_sweep.records.store import timed_records
from enhance_sweep.stats.cost_model import CostModel

#: A cost model fitted on fewer networks is too uncertain.
FEWEST_TIMED = 8


class Latencies:
    """The latencies of networks under one measurement, on one host: two hosts' latencies are never compared.

    Args:
        runs_dir: the folder of runs.
        measurement: from `enhance_sweep.timing.recording.measurement_of`.
    """

    def __init__(self, runs_dir: Path, measurement: Mapping[str, Any]) -> None:
        self.runs_dir = runs_dir
        self.measurement = dict(measurement)

    def measured_ms(self, architecture: Mapping[str, Any]) -> float | None:
        """The newest measured median, a paired timing before a quick one; None where there is none."""
        key = measured_key(architecture, self.measurement)
        timed = [record for record in timed_records(self.runs_dir, key) if record.status == "completed"]
        timed.sort(key=lambda record: bool(record.baseline))
        return timed[-1].latency_ms_median if timed else None

    def model(self) -> CostModel | None:
        """A cost model fitted on all networks timed under this measurement; None where they are too few."""
        newest = {
            record.architecture_key: (record.description, float(record.latency_ms_median or 0))
            for record in timed_records(self.runs_dir)
            if record.status == "completed" and record.measurement.as_json() == self.measurement
        }
        if len(newest) < FEWEST_TIMED:
            return None
        descriptions, latencies_ms = zip(*newest.values(), strict=True)
        return CostModel.fit(descriptions, latencies_ms)

    def adopt_host(self, architectures: Iterable[Mapping[str, Any]]) -> None:
        """Switch to the host on which most of these networks were timed: jobs may run on another host than the search.

        Nothing changes where none was timed, or as many on this host.
        """
        keys = {architecture_key(architecture) for architecture in architectures}
        others = _elsewhere(self.measurement)
        found: dict[str, list[dict[str, Any]]] = {self.measurement["host"]: []}
        for record in timed_records(self.runs_dir):
            known = record.measurement.as_json()
            if _elsewhere(known) == others and record.status == "completed" and record.architecture_key in keys:
                found.setdefault(known["host"], []).append(known)
        host = max(found, key=lambda name: len(found[name]))
        if found[host]:
            self.measurement = dict(found[host][-1])


def _elsewhere(measurement: Mapping[str, Any]) -> dict[str, Any]:
    """What is the same on every host; the number of threads depends on the host's cores."""
    return {name: value for name, value in measurement.items() if name not in ("host", "threads")}
