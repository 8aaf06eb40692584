"""The subject of a timing: one architecture, with what its processes measured so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from enhance_sweep.records.keys import architecture_of, architecture_slug
from enhance_sweep.records.schema import Process, Round, Samples
from enhance_sweep.stats.speed_up import Ratio, rounds_that_count, speed_up
from enhance_sweep.system.clock import now

JsonObject = dict[str, Any]


@dataclass
class Subject:
    """One architecture while it is timed.

    Attributes:
        model: its configuration: `_target_`, `name` and the constructor's arguments.
        processes: what each fresh process measured: `loaded`, `first_call`, `warm_up_ms`, `warm`, `rounds` and
            `repeated_calls`.
        check: how its result compared with eager fp32's; None where it was not compared.
        stopped: why timing ended; None until then.
        failure: why it could not be timed.
    """

    model: Mapping[str, Any]
    processes: list[JsonObject] = field(default_factory=list)
    check: JsonObject | None = None
    stopped: str | None = None
    failure: str | None = None
    started_at: str = field(default_factory=now)

    @property
    def architecture(self) -> JsonObject:
        """`topology` and the constructor's arguments."""
        return architecture_of(self.model)

    @property
    def name(self) -> str:
        """A short, readable name."""
        return architecture_slug(self.architecture)

    @property
    def unfinished(self) -> bool:
        """Whether there is more to time."""
        return not self.stopped and not self.failure

    def measured(self) -> list[Process]:
        """The measurements of its processes, as a record holds them."""
        return msgspec.convert(self.processes, list[Process])

    def rounds(self) -> list[Round]:
        """All rounds that count."""
        return [one for rounds in rounds_that_count(self.measured()) for one in rounds]

    def speed_up(self) -> Ratio | None:
        """The speed-up over the baseline, if it ran beside it."""
        return speed_up(Samples(processes=self.measured()))
