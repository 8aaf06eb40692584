"""The process's environment: allocator and waiting threads, set first, and what a record says about host and versions.

By default glibc returns the memory of every large activation to the kernel and faults it in again. These millions of
page faults halve the speed of training and inference. glibc reads its settings when a process starts, so a process that
needs others restarts itself. How threads wait is in `waiting`. Nothing here imports torch at module level.
"""

import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from enhance_sweep.system import waiting

_EIGHT_GIB = str(8 * 2**30)

#: Environment variables of each allocator setting. `stock` is the platform's default.
ALLOCATORS: dict[str, dict[str, str]] = {
    "stock": {},
    "tuned": {
        "MALLOC_MMAP_THRESHOLD_": _EIGHT_GIB,
        "MALLOC_TRIM_THRESHOLD_": _EIGHT_GIB,
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    },
}
_ALL_VARIABLES = sorted({name for settings in ALLOCATORS.values() for name in settings})


def allocator_environment(allocator: str) -> dict[str, str]:
    """This process's environment with the variables of `allocator`, and none of other allocators.

    Raises:
        ValueError: no such allocator.
    """
    if allocator not in ALLOCATORS:
        raise ValueError(f"allocator: expected one of {', '.join(ALLOCATORS)}, got {allocator!r}")
    others = {name: value for name, value in os.environ.items() if name not in _ALL_VARIABLES}
    return others | ALLOCATORS[allocator]


def current_allocator() -> str:
    """Which of `ALLOCATORS` this process uses, or `custom` with glibc's variables."""
    present = {name: os.environ[name] for name in _ALL_VARIABLES if name in os.environ}
    for name, settings in ALLOCATORS.items():
        if present == settings:
            return name
    return "custom: " + " ".join(f"{name}={value}" for name, value in present.items())


def prepare_process() -> None:
    """Give this process the tuned allocator and threads that sleep while they wait; before torch is imported.

    The user's own settings win, and the record names them. What is read when a process starts, or was read when torch
    was imported, takes a restart: the process becomes a new one with the same arguments. Without glibc (macOS, musl)
    the allocator's variables mean nothing, so they are left alone.
    """
    environment = waiting.asleep(os.environ)
    too_late = "torch" in sys.modules and environment != dict(os.environ)
    if platform.libc_ver()[0] == "glibc" and current_allocator() == "stock":
        environment |= ALLOCATORS["tuned"]
        too_late = True
    if too_late:
        sys.stdout.flush()
        sys.stderr.flush()
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
    os.environ.update(environment)


def usable_cores() -> int:
    """How many cores this process may use: the smallest of affinity, cgroup quota and physical cores."""
    import psutil

    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    physical = psutil.cpu_count(logical=False) or affinity
    quota = _cgroup_quota()
    return max(1, min(affinity, physical, int(quota) if quota else affinity))


def _cgroup_quota() -> float | None:
    """The cores that cgroup v2 or v1 grants; None without a limit."""
    try:
        limit, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return None if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError):
        pass
    try:
        limit_us = int(Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us").read_text())
        period_us = int(Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us").read_text())
        return None if limit_us <= 0 else limit_us / period_us
    except (OSError, ValueError):
        return None


def cpu_flags() -> set[str]:
    """The processor's feature flags as the kernel names them (`amx_bf16`, `avx512_bf16`, ...); empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    names = ("flags", "Features")  # on x86, on ARM
    return next((set(line.split(":", 1)[1].split()) for line in lines if line.startswith(names)), set())


def has_bf16_arithmetic() -> bool:
    """Whether the processor computes in bf16; otherwise torch emulates it, far slower than fp32."""
    return not cpu_flags().isdisjoint({"amx_bf16", "avx512_bf16", "bf16"})


def cost_of_precision(precision: str) -> str | None:
    """A warning if this processor does not compute in `precision`; None if it does."""
    if precision != "bf16" or has_bf16_arithmetic():
        return None
    return "this processor emulates bf16, up to 100 times slower than fp32: use fp32 here"


def describe_environment() -> dict[str, Any]:
    """What a reader needs to trust a number: host, processor, cores, versions, allocator, code."""
    packages = ["torch", "pytorch-lightning", "hydra-core", "numpy", "pillow", "scikit-image"]
    return {
        "host": platform.node(),
        "cpu": cpu_model(),
        "cores": usable_cores(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "enhance_sweep": installed_versions(["enhance-sweep"])["enhance-sweep"],
        "versions": installed_versions(packages),
        "allocator": current_allocator(),
        "wait_policy": waiting.wait_policy(os.environ),
        "git_commit": git_commit(),
    }


@cache
def system_id() -> str:
    """The boot and process namespace within which process numbers and kernel counters are comparable."""
    import psutil

    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - no path, a name of a namespace
    return f"{platform.node()} {psutil.boot_time():.0f}"


def out_of_memory_kills() -> int | None:
    """How many processes the kernel killed when out of memory, in this container or since boot; None: unknown."""
    for path in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control", "/proc/vmstat"):
        with suppress(OSError, ValueError):
            counts = dict(line.split() for line in Path(path).read_text().splitlines())
            if "oom_kill" in counts:
                return int(counts["oom_kill"])
    return None


def cpu_model() -> str:
    """The processor's name, or its architecture where the name is unknown."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def installed_versions(packages: Iterable[str]) -> dict[str, str | None]:
    """The version of each distribution; None for one that is not installed."""
    versions: dict[str, str | None] = dict.fromkeys(packages)
    for package in versions:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions


@cache
def git_commit() -> str | None:
    """The commit of the running code, with `-dirty` if it has changed since; None outside a checkout."""
    here = Path(__file__).resolve().parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        tracked = subprocess.run(
            ["git", "-C", str(here), "ls-files", "--error-unmatch", __file__], capture_output=True, check=False
        )
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None if tracked.returncode == 0 and done.returncode == 0 else None
