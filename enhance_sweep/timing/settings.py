"""How to measure: the typed schema of `conf/timing/*.yaml`."""

from dataclasses import dataclass

from enhance_sweep.environment import ALLOCATORS, usable_cores

PRECISIONS = ("fp32", "bf16")
LAYOUTS = ("channels_last", "channels_first")


@dataclass  # not frozen: Hydra fills it in
class TimingSettings:
    """One way to measure speed and memory. The defaults are the careful ones.

    Args:
        width: of the photograph, pixels.
        height: of the photograph, pixels.
        photograph: an image file to measure on; None takes an installed one, always the same.
        precision: fp32 or bf16.
        layout: channels_last or channels_first, of weights and activations.
        threads: 0 means all usable cores.
        allocator: stock or tuned (`enhance_sweep.environment.ALLOCATORS`).
        seed: of the network's weights and of the order within rounds.
        paired: time the baseline in every round, so that a speed-up is a median of ratios taken side by side.
        processes: fresh processes for each variant before its interval may be believed.
        samples: timed calls in each process, at least three.
        warm_up_calls: at most this many before timing; fewer once three undisturbed ones agree within 5%.
        repeats: how often a call that something else disturbed is repeated at most.
        budget_s: wall seconds for each variant, shared among all that are timed together.

    Raises:
        ValueError: a value out of its range, by name.
    """

    width: int = 1280
    height: int = 720
    photograph: str | None = None
    precision: str = "fp32"
    layout: str = "channels_last"
    threads: int = 0
    allocator: str = "tuned"
    seed: int = 0
    paired: bool = True
    processes: int = 3
    samples: int = 3
    warm_up_calls: int = 6
    repeats: int = 1
    budget_s: float = 300.0

    def __post_init__(self) -> None:
        """Refuse what cannot be measured."""
        for name, allowed in (("precision", PRECISIONS), ("layout", LAYOUTS), ("allocator", tuple(ALLOCATORS))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"timing.{name}: expected one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        minima = {"width": 1, "height": 1, "threads": 0, "processes": 1, "samples": 3, "warm_up_calls": 0, "repeats": 0}
        for name, minimum in (minima | {"budget_s": 0}).items():
            if not minimum <= getattr(self, name) < float("inf"):  # false for nan too
                raise ValueError(f"timing.{name}: expected at least {minimum}, got {getattr(self, name)}")

    @property
    def used_threads(self) -> int:
        """The number of threads that a worker really computes with."""
        return self.threads or usable_cores()
