"""Keys: they must not change, or every result would be computed again."""

from types import SimpleNamespace
from typing import Any

import pytest

from enhance_sweep.config import compose_settings
from enhance_sweep.records.keys import architecture_of, learned_key
from enhance_sweep.sweep.manifest import measured_without_host
from enhance_sweep.sweep.plan import what_is_learned_from
from enhance_sweep.timing.protocol import measurement_of

PAIRS: Any = SimpleNamespace(dataset="photos", fingerprint="0123456789abcdef")


@pytest.mark.parametrize(
    ("overrides", "learned", "measured"),
    [
        (
            "model=plain trainer.schedule=one_cycle trainer.learning_rate=2e-3",
            "plain-k3-c64-b4-photos-fidelity-s0-0283f9f7",
            "d0a6c619",
        ),
        (
            "model=strided model.prelu=true loss=dped_code content=vgg19 timing=default runtime=compile "
            "trainer.max_steps=1000",
            "strided-k3-s4-c16-b2-prelu-photos-dped_code-s0-90c4632e",
            "074b4642",
        ),
        (
            "model=strided loss=paper trainer.schedule=one_cycle seed=3",
            "strided-k3-s4-c16-b2-photos-paper-s3-2814f2db",
            "3fc69d4c",
        ),
    ],
)
def test_keys_are_those_of_earlier_versions(overrides: str, learned: str, measured: str) -> None:
    as_then = ["trainer.start=dped_code", "trainer.averaging=false", "trainer.precision=fp32", "timing.threads=2"]
    settings = compose_settings([*overrides.split(), *as_then])
    architecture = architecture_of(settings.model)
    assert learned_key(architecture, what_is_learned_from(settings, PAIRS)) == learned
    assert measured_without_host(architecture, measurement_of(settings.timing, settings.runtime)) == measured
