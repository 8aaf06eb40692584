"""Speed and memory of an architecture on this host, measured in fresh processes."""

from enhance_sweep.settings import TimingSettings
from enhance_sweep.system.locks import host_lock
from enhance_sweep.timing.process import TimingError
from enhance_sweep.timing.protocol import time_variant, time_variants

__all__ = ["TimingError", "TimingSettings", "host_lock", "time_variant", "time_variants"]
