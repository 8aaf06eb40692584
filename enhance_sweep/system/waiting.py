"""How a process's OpenMP threads wait for each other.

A step of training has thousands of moments in which one thread waits for another. By default libgomp's threads spin
300,000 times before they sleep (its manual, GOMP_SPINCOUNT): quick on a quiet machine, but where another process wants
the core, they take it from the very thread that they wait for. So wherever we compute they sleep at once
(`OMP_WAIT_POLICY=passive`, OpenMP 5.0, 6.7), unless the user has set how they wait. Only timing leaves it at the
default: another wait is another measurement.

libgomp reads its variables once, when torch loads it. `docs/decisions/waiting-threads.md` has the figures.
"""

from collections.abc import Mapping

#: What decides how threads wait: OpenMP's variable, and libgomp's own, which outranks it.
VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
#: No variable is set.
DEFAULT = "default"

_PASSIVE = "passive"
#: Tells the processes that we start, on this machine or another, that the policy is ours and not the user's.
_OURS = "ENHANCE_SWEEP_WAIT_POLICY"


def asleep(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which threads sleep while they wait, unless the user has set how they wait."""
    if any(name in environment for name in VARIABLES):
        return dict(environment)
    return {**environment, "OMP_WAIT_POLICY": _PASSIVE, _OURS: _PASSIVE}


def as_the_user_set(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without what `asleep` has set: how timed threads wait."""
    ours = environment.get(_OURS) == environment.get("OMP_WAIT_POLICY")
    left_out = (_OURS, "OMP_WAIT_POLICY") if ours else (_OURS,)
    return {name: value for name, value in environment.items() if name not in left_out}


def wait_policy(environment: Mapping[str, str]) -> str:
    """How threads wait in an environment: `default`, `passive`, `active`, or `custom` with the variables."""
    present = {name: environment[name] for name in VARIABLES if name in environment}
    if not present:
        return DEFAULT
    policy = present.get("OMP_WAIT_POLICY", "").strip().lower()
    if len(present) == 1 and policy in (_PASSIVE, "active"):
        return policy
    return "custom: " + " ".join(f"{name}={value}" for name, value in present.items())
