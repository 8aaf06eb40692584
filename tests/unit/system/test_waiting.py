"""How threads wait: asleep where we compute, as the user has set it, by default where we time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import enhance_sweep
from enhance_sweep.system.environment import ALLOCATORS, allocator_environment
from enhance_sweep.system.waiting import VARIABLES, as_the_user_set, asleep, wait_policy

OTHER = {"HOME": "/home/me"}
#: Stands before every command: tells, where torch would be imported for the first time, how its threads will wait.
SPY = """\
import os, runpy, sys

class Spy:
    def find_spec(self, name, *_):
        if name == "torch":
            print("waits", *(f"{one}={os.environ.get(one)}" for one in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")))
            sys.stdout.flush()
            os._exit(0)

sys.meta_path.insert(0, Spy())
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
COMMANDS = {
    "enhance_sweep": ["model.channels=4", "stages=[train]", "data.root=nowhere"],
    "enhance_sweep.enhance": ["photo.jpg", "--weights", "generator.pt", "--out", "out"],
    "enhance_sweep.export": ["--runs", "nowhere", "--run", "best", "--format", "torchscript"],
    "enhance_sweep.demo": ["--runs", "nowhere"],
    "enhance_sweep.profile": ["model.channels=4"],
}


def as_people_start(**variables: str) -> dict[str, str]:
    """This process's environment with nothing of how threads wait, nor of the allocator, but `variables`."""
    ours = {*asleep({}), *VARIABLES, *ALLOCATORS["tuned"]}
    return {name: value for name, value in os.environ.items() if name not in ours} | variables


@pytest.mark.parametrize(
    ("module", "set_by_user", "found"),
    [
        *((module, {}, "OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=None") for module in COMMANDS),
        ("enhance_sweep", {"OMP_WAIT_POLICY": "active"}, "OMP_WAIT_POLICY=active GOMP_SPINCOUNT=None"),
        ("enhance_sweep", {"GOMP_SPINCOUNT": "1000"}, "OMP_WAIT_POLICY=None GOMP_SPINCOUNT=1000"),
    ],
)
def test_every_command_sets_it_before_torch_is_imported(
    module: str, set_by_user: dict[str, str], found: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", SPY, module, *COMMANDS[module]]
    environment = as_people_start(PYTHONPATH=os.pathsep.join(path or str(Path.cwd()) for path in sys.path))
    done = subprocess.run(
        command, env=environment | set_by_user, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert f"waits {found}" in done.stdout, done.stderr


def test_every_command_is_known() -> None:
    """A new one belongs to those that compute, or to those that do not: the report, the status, and timing."""
    package = Path(enhance_sweep.__file__).parent
    found = set()
    for path in package.rglob("*.py"):
        if '\nif __name__ == "__main__":' in path.read_text():
            parts = path.relative_to(package.parent).with_suffix("").parts
            found.add(".".join(part for part in parts if part != "__main__"))
    others = {f"enhance_sweep.{name}" for name in ("report", "status", "timing", "timing.worker")}
    assert found == {*COMMANDS} | others


@pytest.mark.skipif(sys.platform != "linux", reason="orig_argv and exec as here are Linux's")
def test_a_process_that_has_torch_already_starts_itself_anew(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("import os\nloaded_with = os.environ.get('OMP_WAIT_POLICY')\n")
    code = (
        "import torch\nfrom enhance_sweep.system.environment import prepare_process\n"
        "prepare_process()\nprint(torch.loaded_with)"
    )
    environment = as_people_start(PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]))
    for allocator in ({}, ALLOCATORS["tuned"]):  # with the allocator set there is no other reason for a new start
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment | allocator, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == "passive"


@pytest.mark.parametrize(
    "own", [{"OMP_WAIT_POLICY": "active"}, {"OMP_WAIT_POLICY": "passive"}, {"GOMP_SPINCOUNT": "0"}]
)
def test_a_users_own_setting_wins(own: dict[str, str]) -> None:
    assert asleep(OTHER | own) == OTHER | own
    assert as_the_user_set(asleep(OTHER | own)) == OTHER | own, "and timing has it too"


def test_what_we_set_is_taken_back_for_timing() -> None:
    ours = asleep(OTHER)
    assert ours["OMP_WAIT_POLICY"] == "passive"
    assert asleep(ours) == ours, "also by a process that another of ours has started"
    assert as_the_user_set(ours) == OTHER
    assert as_the_user_set(ours | {"OMP_WAIT_POLICY": "active"}) == OTHER | {"OMP_WAIT_POLICY": "active"}


@pytest.mark.parametrize(
    ("variables", "policy"),
    [
        ({}, "default"),
        ({"OMP_WAIT_POLICY": "passive"}, "passive"),
        ({"OMP_WAIT_POLICY": " ACTIVE "}, "active"),
        ({"OMP_WAIT_POLICY": "often"}, "custom: OMP_WAIT_POLICY=often"),
        ({"GOMP_SPINCOUNT": "1000"}, "custom: GOMP_SPINCOUNT=1000"),
        (
            {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "1000"},
            "custom: OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=1000",
        ),
    ],
)
def test_the_policy_has_a_name(variables: dict[str, str], policy: str) -> None:
    assert wait_policy(OTHER | variables) == policy


def test_tests_wait_asleep_too_and_their_timings_do_not() -> None:
    assert wait_policy(os.environ) == "passive"
    assert wait_policy(as_the_user_set(allocator_environment("tuned"))) == "default"
