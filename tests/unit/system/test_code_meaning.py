"""Code is told from other code by what it means."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from enhance_sweep.records import code_versions
from enhance_sweep.records.code_versions import canonical
from enhance_sweep.system import code_meaning
from enhance_sweep.system.code_meaning import digest_of, meaning

CODE = '''
"""A module."""
from enhance_sweep.losses.color import ColorLoss
from torch import nn

def clamp(value: float, low: float = 0.0) -> float:
    """No less than low."""
    if value != value:
        raise ValueError(f"expected a number, got {value}")  # a comment
    assert low < 1, "low is small"
    print("clamping")
    return max(value, low)

class Loss(nn.Module):
    """A loss."""
    target: str = "enhance_sweep.losses.color.ColorLoss"
'''


SAID = [
    ('"""No less than low."""', '"""At least low."""'),
    ("  # a comment", ""),
    ("expected a number, got {value}", "{value} is no number"),
    ("low is small", "a small low"),
    ('print("clamping")', "pass"),
    ("value: float, low: float = 0.0) -> float", "value, low=0.0)"),
    ("enhance_sweep.losses.color", "enhance_sweep.objectives.color"),
    ("target: str =", "target ="),
    ('\n"""A module."""', "import enhance_sweep.metrics"),
]
COMPUTED = [
    ("max(value, low)", "min(value, low)"),
    ("low: float = 0.0", "low: float = 0.5"),
    ("ValueError", "TypeError"),
    ("low < 1", "low < 2"),
    ("value != value", "value == value"),
    ('color.ColorLoss"', 'color.OtherLoss"'),
    ("def clamp", "def bound"),
    ("from torch import nn", "from torch.ao import nn as other"),
    ("return max", "max"),
    ("import ColorLoss", "import ColorLoss as Loss"),
]


@pytest.mark.parametrize(("before", "after"), SAID + COMPUTED)
def test_what_is_only_said_is_no_other_code_and_what_computes_something_else_is(before: str, after: str) -> None:
    assert before in CODE
    assert (meaning(CODE.replace(before, after)) == meaning(CODE)) == ((before, after) in SAID)


def test_files_may_lie_anywhere_and_say_nothing() -> None:
    first, second = "a = 1", "b = 2"
    assert digest_of([first, second]) == digest_of([second, '"""Only words."""', first])
    assert digest_of([first, second]) != digest_of([first])
    assert digest_of([first, second]) != digest_of([f"{first}\n{second}"])


PRINT_DIGEST = """
import importlib.util, pathlib, sys
spec = importlib.util.spec_from_file_location("code_meaning", sys.argv[1])
code_meaning = importlib.util.module_from_spec(spec)
spec.loader.exec_module(code_meaning)
print(code_meaning.digest_of(pathlib.Path(source).read_text("utf-8") for source in sys.argv[2:]))
"""


def test_every_python_sees_the_same_code() -> None:
    sources = [str(path) for path in sorted(Path(code_meaning.__file__).parents[1].rglob("*.py"))]
    here = digest_of(Path(source).read_text("utf-8") for source in sources)
    others = [python for version in range(12, 20) if (python := shutil.which(f"python3.{version}"))]
    compared = 0
    for python in others:
        command = [python, "-I", "-c", PRINT_DIGEST, str(code_meaning.__file__), *sources]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:  # a version that is there by name alone is no other Python
            assert done.stdout.strip() == here, python
            compared += 1
    if not compared:
        pytest.skip(f"no newer Python beside {sys.version.split()[0]}")


def test_equal_code_has_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_versions, "_EQUALS", {"first": "second", "second": "third"})
    names = [canonical(digest) for digest in ("first", "second", "third", "other")]
    assert names == ["third"] * 3 + ["other"]
