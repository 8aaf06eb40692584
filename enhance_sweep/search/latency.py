"""What each network costs, known before anything is trained: measured, or predicted from what is measured."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from enhance_sweep.records.keys import architecture_key, measured_key
from enhance_sweep.records.store import timed_records
from enhance_sweep.stats.cost_model import CostModel

#: A cost model of fewer networks knows too little of each coefficient.
FEWEST_TIMED = 8


class Latencies:
    """The latencies of networks under one measurement, which names the host: those of two hosts are not compared.

    Args:
        runs_dir: the folder of runs.
        measurement: what `enhance_sweep.timing.recording.measurement_of` says.
    """

    def __init__(self, runs_dir: Path, measurement: Mapping[str, Any]) -> None:
        self.runs_dir = runs_dir
        self.measurement = dict(measurement)

    def measured_ms(self, architecture: Mapping[str, Any]) -> float | None:
        """The newest measured median, a careful one before a quick look; None where there is none."""
        key = measured_key(architecture, self.measurement)
        timed = [record for record in timed_records(self.runs_dir, key) if record["status"] == "completed"]
        timed.sort(key=lambda record: bool(record.get("baseline")))
        return float(timed[-1]["latency_ms_median"]) if timed else None

    def model(self) -> CostModel | None:
        """A cost model of all that is timed under this measurement; None if that is too little."""
        newest = {
            record["architecture_key"]: (record["description"], float(record["latency_ms_median"]))
            for record in timed_records(self.runs_dir)
            if record["status"] == "completed" and record["measurement"].as_json() == self.measurement
        }
        if len(newest) < FEWEST_TIMED:
            return None
        descriptions, latencies_ms = zip(*newest.values(), strict=True)
        return CostModel.fit(descriptions, latencies_ms)

    def adopt_host(self, architectures: Iterable[Mapping[str, Any]]) -> None:
        """Take the measurement of the host on which most of these networks were timed: jobs may run on another one.

        Nothing changes where none was timed, or as many on this one.
        """
        keys = {architecture_key(architecture) for architecture in architectures}
        # The number of threads follows the host's cores.
        others = {name: value for name, value in self.measurement.items() if name not in ("host", "threads")}
        found: dict[str, list[dict[str, Any]]] = {self.measurement["host"]: []}
        for record in timed_records(self.runs_dir):
            known = record["measurement"]
            same = all(known.get(name) == value for name, value in others.items())
            if same and record["status"] == "completed" and record["architecture_key"] in keys:
                found.setdefault(known["host"], []).append(known)
        host = max(found, key=lambda name: len(found[name]))
        if found[host]:
            self.measurement = dict(found[host][-1])
