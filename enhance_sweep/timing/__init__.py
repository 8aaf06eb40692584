"""Speed and memory of an architecture on this host, measured in processes of their own."""

from enhance_sweep.timing.lock import host_lock
from enhance_sweep.timing.process import TimingError
from enhance_sweep.timing.protocol import time_variant, time_variants
from enhance_sweep.timing.settings import TimingSettings

__all__ = ["TimingError", "TimingSettings", "host_lock", "time_variant", "time_variants"]
