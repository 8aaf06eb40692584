"""Peak resident memory of this process since a given moment.

`ru_maxrss` alone would be wrong on Linux: a child inherits its parent's peak. Polling misses short peaks. On Linux a
process can reset its own high-water mark, by writing `5` to `/proc/self/clear_refs` (proc(5)).
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class PeakMemory:
    """The most memory that a process held since `watch`, in MiB; at that moment it held `base_mib`."""

    base_mib: float
    method: str

    @classmethod
    def watch(cls) -> "PeakMemory":
        """Begin: the peak counts from here, if the platform can reset it (`method` says whether)."""
        try:
            _CLEAR_REFS.write_text("5")
        except OSError:
            resident = psutil.Process().memory_info().rss / 2**20
            return cls(resident, "peak of the whole process, which this platform cannot reset")
        return cls(_status_mib("VmHWM"), "VmHWM after clear_refs")

    def peak_mib(self) -> float:
        """The peak of resident memory since `watch`."""
        if self.method.startswith("VmHWM"):
            return _status_mib("VmHWM")
        info = psutil.Process().memory_info()
        if hasattr(info, "peak_wset"):  # Windows
            return float(info.peak_wset) / 2**20
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def _status_mib(field: str) -> float:
    """A field of /proc/self/status, which is in kB."""
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) / 1024
