"""Which host a measurement is from, and which of its cores are used."""

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from enhance_sweep.records.keys import digest
from enhance_sweep.system.environment import cpu_flags, cpu_model, usable_cores

#: Vector and matrix instructions that decide which kernels a runtime uses.
_FLAGS_THAT_MATTER = {
    "avx", "avx2", "avx512_bf16", "avx512_fp16", "avx512_vnni", "avx512bw", "avx512f", "avx512vl", "avx_vnni", "fma",
    "f16c", "sse4_2", "amx_bf16", "amx_int8", "amx_tile", "asimd", "asimdhp", "bf16", "sve",
}  # fmt: skip
_HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def fingerprint() -> dict[str, Any]:
    """What determines this host's speed: node, processor, flags, cores, memory, kernel, huge pages."""
    return {
        "node": platform.node(),
        "cpu": cpu_model(),
        "flags": sorted(_FLAGS_THAT_MATTER & cpu_flags()),
        "cores": usable_cores(),
        "logical_cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "machine": platform.machine(),
        "kernel": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()),
        "huge_pages": _HUGE_PAGES.read_text().strip() if _HUGE_PAGES.exists() else None,
    }


def host_id(host: Mapping[str, Any]) -> str:
    """A short stable name of a host, such as `intel_xeon-2c-3f9a1c`, from its `fingerprint`.

    It survives a reboot or an upgrade of kernel or packages, which the record holds separately. It changes with the
    machine, processor, number of usable cores or amount of memory.
    """
    machine = {name: host[name] for name in ("node", "cpu", "flags", "cores", "memory_gib", "machine")}
    words = [word for word in host["cpu"].replace("(R)", "").replace("(TM)", "").split() if word[0].isalnum()]
    return f"{'_'.join(words[:2]).lower()}-{host['cores']}c-{digest(machine, 6)}"


def cores_to_pin(threads: int) -> list[int]:
    """The logical cores for `threads` threads: one of each physical core first, then their siblings.

    Empty where the platform cannot pin.
    """
    if not hasattr(os, "sched_getaffinity"):
        return []
    allowed = sorted(os.sched_getaffinity(0))
    first_of_core = [core for core in allowed if _siblings(core) & set(allowed) and min(_siblings(core)) == core]
    others = [core for core in allowed if core not in first_of_core]
    return sorted((first_of_core + others)[:threads])


def _siblings(core: int) -> set[int]:
    """The logical cores of the same physical core, as the kernel lists them (`0,64` or `0-1`)."""
    path = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")
    try:
        parts = [part.split("-") for part in path.read_text().strip().split(",")]
    except OSError:
        return {core}
    return {number for part in parts for number in range(int(part[0]), int(part[-1]) + 1)}
