"""How long training will take: guessed before the first variant, measured after it."""

from collections.abc import Sequence
from dataclasses import dataclass

#: Seconds a variant takes beside arithmetic: data, pictures.
OVERHEAD_S = 12.0
#: Seconds a training step takes beside arithmetic.
_STEP_S = 0.01
#: Multiply-adds a second until something has been measured: of the order of two server cores.
_FIRST_GUESS = 6e10


@dataclass(frozen=True)
class Work:
    """What one variant asks for, in multiply-adds of its generator.

    Attributes:
        steps: training steps.
        training: of all training steps, forward and backward, and of scoring.
    """

    steps: int
    training: float

    @classmethod
    def of(cls, macs: int, pixels: int, steps: int, training_pixels: float, scored_pixels: float) -> "Work":
        """From a generator's `macs` at `pixels`, and what it is trained on and scored on.

        A training step is one forward pass and a backward pass of twice that.
        """
        per_pixel = macs / pixels
        return cls(steps, per_pixel * (3 * training_pixels + scored_pixels))

    @property
    def anything(self) -> bool:
        """Whether there is any."""
        return self.training > 0


def remaining_s(ahead: Sequence[Work], behind: Sequence[tuple[Work, float]]) -> float:
    """Seconds that the work `ahead` will take, from what the work `behind` took, as (work, seconds).

    With nothing measured yet it is a guess, good to a factor of a few.
    """
    ahead = [work for work in ahead if work.anything]
    if not behind:
        return sum(map(_guess_s, ahead)) + OVERHEAD_S * len(ahead)
    guessed_behind = sum(_guess_s(work) for work, _ in behind)
    took = sum(max(seconds - OVERHEAD_S, 0.0) for _, seconds in behind)
    return took / guessed_behind * sum(map(_guess_s, ahead)) + OVERHEAD_S * len(ahead)


def _guess_s(work: Work) -> float:
    return work.steps * _STEP_S + work.training / _FIRST_GUESS + 1e-9
