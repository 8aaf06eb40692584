"""The network that every speed-up is relative to."""

from collections.abc import Mapping
from typing import Any

#: The network that every speed-up is relative to: DPED's own (Ignatov et al. 2017), row 3/64/4 of Table 1.
BASELINE: Mapping[str, Any] = {
    "_target_": "enhance_sweep.models.PlainGenerator",
    "name": "plain",
    "kernel_size": 3,
    "channels": 64,
    "blocks": 4,
    "prelu": False,
}
