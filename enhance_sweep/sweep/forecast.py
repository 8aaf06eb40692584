"""What a sweep would do, how fast its networks would be and how long it would take, before anything is computed."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from enhance_sweep import config as configuration
from enhance_sweep.records.store import timed_records, trained_records
from enhance_sweep.stats.cost_model import CostModel
from enhance_sweep.sweep.estimate import OVERHEAD_S, Work, remaining_s
from enhance_sweep.sweep.plan import Plan
from enhance_sweep.system.clock import duration
from enhance_sweep.system.environment import describe_environment

#: Where nothing has been timed yet: two Xeon cores, eager, fp32, tuned allocator (fitted on reports/timing's records).
_FIRST_GUESS = CostModel(ms_per_gmac=6.4, ms_per_gib=112.0, ms_per_layer=2.6)
_FEWEST_FOR_A_MODEL = 3
#: Seconds that a process takes until its first timed call, and what a round has beside its calls.
_PROCESS_S = 4.0


@dataclass(frozen=True)
class Past:
    """What has been measured on this host.

    Attributes:
        trained: what was trained, and the seconds it took.
        timed_ms: latencies, by measured key.
        model: fitted on them; None where there are too few.
    """

    trained: Sequence[tuple[Work, float]]
    timed_ms: Mapping[str, float]
    model: CostModel | None

    @classmethod
    def of(cls, runs_dir: Path, measurement: Mapping[str, Any]) -> "Past":
        """From the records in a folder, those of this host and of the same measurement."""
        timed: dict[str, list[float]] = {}
        descriptions: dict[str, Mapping[str, Any]] = {}
        for record in timed_records(runs_dir):
            if record["status"] == "completed" and record["measurement"] == measurement:
                timed.setdefault(record["key"], []).append(record["latency_ms_median"])
                descriptions[record["key"]] = record["description"]
        latencies = {key: median(times) for key, times in timed.items()}
        known = {key: description for key, description in descriptions.items() if "layers" in description}
        model = None
        if len(known) >= _FEWEST_FOR_A_MODEL:
            model = CostModel.fit(list(known.values()), [latencies[key] for key in known])
        host = describe_environment()["host"]
        trained = [
            (_work_of_record(record), record["train_wall_s"] + OVERHEAD_S)
            for record in trained_records(runs_dir)
            if record.get("train_wall_s") and record["environment"].get("host") == host
        ]
        return cls(trained, latencies, model)

    def latency_ms(self, plan: Plan) -> tuple[float, str]:
        """A network's latency, and whether it is measured, predicted by the cost model, or a first guess."""
        measured = self.timed_ms.get(plan.measured_key())
        if measured is not None:
            return measured, "measured"
        model, source = (self.model, "predicted") if self.model else (_FIRST_GUESS, "first guess")
        timing = configuration.timing_settings(plan.config)
        pixels = timing.width * timing.height
        described = plan.description["height"] * plan.description["width"]
        return model.predict_ms(plan.description) * pixels / described, source

    def seconds(self, plans: Sequence[Plan]) -> float:
        """How long what these still need will take, one after the other."""
        training = remaining_s([work_of(plan) for plan in plans], self.trained)
        return training + sum(self._timing_s(plan) for plan in plans)

    def _timing_s(self, plan: Plan) -> float:
        if not plan.needs_timing():
            return 0.0
        timing = configuration.timing_settings(plan.config)
        calls = timing.processes * (1 + timing.warm_up_calls + timing.samples)
        # A paired run goes on until its interval is narrow: its budget is the most that it takes.
        once_s = calls * self.latency_ms(plan)[0] / 1e3 + timing.processes * _PROCESS_S
        return max(once_s, timing.budget_s) if timing.paired else once_s


def past_of(plans: Sequence[Plan]) -> Past:
    """What has been measured on this host where these plans write to, as they measure."""
    return Past.of(plans[0].runs_dir, plans[0].measurement())


def work_of(plan: Plan) -> Work:
    """What a variant still has to be trained and scored."""
    trainer = plan.config.trainer
    pixels = plan.description["height"] * plan.description["width"]
    training, scored, steps = 0.0, 0.0, 0
    if plan.needs_training() and plan.pairs is not None:
        steps = max(plan.max_steps - ((plan.trained_record() or {}).get("steps", 0) or 0), 0)
        training = steps * trainer.batch_size * trainer.crop_size**2
        count, height, width = plan.pairs.test.input.shape[:3]
        scorings = 1 + sum(step < trainer.max_steps for step in trainer.evaluate_at)
        scored = scorings * count * height * width
    return Work.of(plan.description["macs"], pixels, steps, training, scored)


def _work_of_record(record: Mapping[str, Any]) -> Work:
    learned, description = record["learned_from"], record["description"]
    pixels = description.get("height", 720) * description.get("width", 1280)
    training = record["steps"] * learned.get("batch_size", 0) * learned.get("crop_size", 0) ** 2
    return Work.of(description["macs"], pixels, record["steps"], training, 0.0)


def announcement(plans: Sequence[Plan], past: Past) -> str:
    """One line: how much there is to do, and how long it will take."""
    train, timed = sum(plan.needs_training() for plan in plans), sum(plan.needs_timing() for plan in plans)
    steps = " or ".join(str(steps) for steps in sorted({plan.max_steps for plan in plans}))
    said = f"{len(plans)} variants: {train} to train for {steps} steps, {timed} to time, the rest is done."
    if train or timed:
        guess = "" if past.trained or not train else ", a first guess"
        said += f" About {duration(past.seconds(plans))} in all{guess}."
    return said


def show(plans: Sequence[Plan]) -> None:
    """Print a row for each variant, then how long all would take."""
    past = past_of(plans)
    rows = []
    for plan in plans:
        latency_ms, source = past.latency_ms(plan)
        rows.append(
            {
                "variant": plan.name,
                "seed": plan.config.seed,
                "parameters": f"{plan.description['parameters']:,}",
                "MACs, G": f"{plan.description['macs'] / 1e9:,.1f}",
                "latency, ms": f"{latency_ms:,.0f}",
                "is": source,
                "steps": f"{plan.max_steps:,}",
                "to do": ", ".join(_to_do(plan)) or "nothing",
                "about": duration(past.seconds([plan])),
            }
        )
    print(pd.DataFrame(rows).to_string(index=False))
    timing, runtime = plans[0].config.timing, configuration.resolved(plans[0].config, "runtime")["name"]
    print(
        f"\nLatency: {timing.width}x{timing.height}, {runtime}, {timing.precision}, on this host."
        + ("" if past.model else " Too few were timed here to predict others: a first guess is of two Xeon cores.")
    )
    print(announcement(plans, past), file=sys.stdout)


def _to_do(plan: Plan) -> list[str]:
    trains = plan.needs_training()
    evaluates = "evaluate" in plan.config.stages and (trains or plan.needs_evaluation(plan.trained_record()))
    return [stage for stage, due in (("train", trains), ("evaluate", evaluates), ("time", plan.needs_timing())) if due]
