"""Keys: they must not change, or every result would be computed again."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import convert

from enhance_sweep.config import ConfigError, compose_settings
from enhance_sweep.records.keys import architecture_of, learned_key
from enhance_sweep.records.schema import Measurement
from enhance_sweep.sweep.manifest import measured_without_host
from enhance_sweep.sweep.plan import plan_variant, what_is_learned_from
from enhance_sweep.timing.protocol import measurement_of
from tests.unit.models.made_up_topologies import Pooled

PAIRS: Any = SimpleNamespace(dataset="photos", fingerprint="0123456789abcdef", shares=None)


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


@pytest.mark.parametrize(
    ("own", "policy"),
    [({"OMP_WAIT_POLICY": "PASSIVE"}, "passive"), ({"GOMP_SPINCOUNT": "9"}, "custom: GOMP_SPINCOUNT=9")],
)
def test_how_the_user_lets_threads_wait_is_part_of_the_measurement(
    own: dict[str, str], policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = compose_settings(["model=plain"])
    usual = measurement_of(settings.timing, settings.runtime)
    assert "wait_policy" not in usual
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    measurement = measurement_of(settings.timing, settings.runtime)
    assert measurement == usual | {"wait_policy": policy}
    assert convert(measurement, Measurement).as_json() == measurement
    assert convert(usual, Measurement).as_json() == usual
    assert convert(usual, Measurement).wait_policy == "default"


def test_the_shares_of_a_mix_are_part_of_what_is_learned() -> None:
    settings = compose_settings([])
    architecture = architecture_of(settings.model)
    keys = set()
    for shares in (None, {"city": 0.25, "dped": 0.75}, {"city": 0.5, "dped": 0.5}):
        learned_from = what_is_learned_from(settings, SimpleNamespace(**vars(PAIRS) | {"shares": shares}))  # type: ignore[arg-type]
        assert learned_from.get("shares") == shares
        keys.add(learned_key(architecture, learned_from))
    assert len(keys) == 3


# --- wrong networks ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("class_name", "arguments", "said"),
    [
        (
            "WrongSize",
            {"stride": 2},
            r"^odd-stride2: for 2 photographs of 41x37 it gives 21x19: expected the same size",
        ),
        ("Odd", {"does": "tuple"}, r"^odd-doestuple: for 2 photographs of 41x37 it gives a tuple"),
        ("Odd", {"does": "values"}, r"^odd-doesvalues: for 2 photographs of 41x37 it raises RuntimeError"),
        ("Unbuildable", {}, r"^odd: it cannot be built and followed without computing: it raises RuntimeError: .*meta"),
    ],
)
def test_a_network_that_is_no_topology_is_refused_by_name(class_name: str, arguments: Any, said: str) -> None:
    settings = compose_settings(["model=srcnn", "stages=[time]"])
    target = f"tests.unit.models.made_up_topologies.{class_name}"
    settings = replace(settings, model={"_target_": target, "name": "odd", **arguments})
    with pytest.raises(ConfigError, match=said) as caught:
        plan_variant(settings)
    assert "\n" not in str(caught.value)


def test_a_pooling_with_one_number_for_its_kernel_is_planned() -> None:
    settings = compose_settings(["model=srcnn", "stages=[time]"])
    model = {"_target_": "tests.unit.models.made_up_topologies.Pooled", "name": "pooled", "channels": 4}
    plan = plan_variant(replace(settings, model=model))
    assert plan.name == "pooled-c4"
    assert plan.description.parameters == sum(p.numel() for p in Pooled(4).parameters())
