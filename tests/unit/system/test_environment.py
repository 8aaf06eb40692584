"""The allocator's setting, and what a record says of its surroundings."""

import json
import os
import sys

import pytest

from enhance_sweep.system import environment
from enhance_sweep.system.environment import ALLOCATORS, allocator_environment, current_allocator, usable_cores
from tests.unit.system.processes import printed

SHOW = "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if k.startswith(('MALLOC', 'GLIBC'))}))"


def stock_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_TUNABLES"))}


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's variables mean nothing elsewhere")
def test_a_process_starts_itself_anew_once_with_its_arguments() -> None:
    code = (
        "import os, sys\n"
        "os.environ['STARTS'] = str(int(os.environ.get('STARTS', 0)) + 1)\n"
        "from enhance_sweep.system.environment import prepare_process\n"
        "prepare_process()\n"
        "print(os.environ['STARTS'], sys.argv[1:])\n" + SHOW
    )
    arguments, variables = printed(code, "a b", "model.channels=16,32", env=stock_environment()).splitlines()
    assert arguments == "2 ['a b', 'model.channels=16,32']"
    assert json.loads(variables) == ALLOCATORS["tuned"]


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's variables mean nothing elsewhere")
def test_a_users_own_setting_wins_and_is_named() -> None:
    code = (
        "from enhance_sweep.system.environment import current_allocator, prepare_process\n"
        "prepare_process()\nprint(current_allocator())"
    )
    own = stock_environment() | {"MALLOC_TRIM_THRESHOLD_": "33554432"}
    assert printed(code, env=own) == "custom: MALLOC_TRIM_THRESHOLD_=33554432"


def test_environments_of_each_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ALLOCATORS["tuned"]:
        monkeypatch.delenv(variable, raising=False)
    assert current_allocator() == "stock"
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1")
    assert "MALLOC_TRIM_THRESHOLD_" not in allocator_environment("stock")
    assert allocator_environment("tuned").items() >= ALLOCATORS["tuned"].items()
    with pytest.raises(ValueError, match="allocator: expected one of stock, tuned, got 'jemalloc'"):
        allocator_environment("jemalloc")


def test_usable_cores_honours_affinity() -> None:
    code = (
        "import os\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from enhance_sweep.system.environment import usable_cores\nprint(usable_cores())"
    )
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this platform has no affinity")
    assert printed(code) == "1"
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


def test_importing_the_package_is_light() -> None:
    code = "import sys, enhance_sweep; print([m for m in ('torch', 'hydra', 'numpy', 'pandas') if m in sys.modules])"
    assert printed(code) == "[]"


def test_a_processor_without_bf16_says_what_it_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "cpu_flags", lambda: {"avx2"})
    assert environment.cost_of_precision("fp32") is None
    assert "use fp32 here" in str(environment.cost_of_precision("bf16"))
    for flag in ("avx512_bf16", "amx_bf16", "bf16"):
        monkeypatch.setattr(environment, "cpu_flags", lambda flag=flag: {flag})
        assert environment.cost_of_precision("bf16") is None
