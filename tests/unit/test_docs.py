"""What README, CONTRIBUTING and docs/ point to exists: files, headings, commands, their options and settings."""

import importlib
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path

import pytest

from enhance_sweep.config import compose_config

ROOT = Path(__file__).parents[2]
DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
every_document = pytest.mark.parametrize("document", DOCS, ids=lambda path: str(path.relative_to(ROOT)))


@every_document
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text()
    missing = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        place, _, heading = link.partition("#")
        target = document.parent / place if place else document
        if not place.startswith("http") and not (target.exists() and (not heading or heading in _headings(target))):
            missing.append(link)
    assert not missing


@every_document
def test_named_files_exist(document: Path) -> None:
    named = re.findall(r"`((?:[\w-]+/)+(?:[\w-]+\.(?:py|yaml|md|ipynb))?)`", document.read_text())
    places = (ROOT, ROOT / "enhance_sweep", ROOT / "enhance_sweep" / "report")
    written_by_runs = ("runs/", "pictures/", "challenge/")
    assert not [n for n in named if not n.startswith(written_by_runs) and not any((p / n).exists() for p in places)]


@every_document
def test_commands_have_the_options_and_settings_they_are_given(document: Path) -> None:
    for command in _commands(document.read_text()):
        words = [word.strip("[]") if word.startswith("[") else word for word in command]
        if words[0] == "make":
            assert f"\n{words[1]}:" in (ROOT / "Makefile").read_text(), command
        elif words[1] != "-m":
            assert (ROOT / words[1]).is_file(), command
        else:
            module, options = words[2], [word.partition("=")[0] for word in words[3:] if word.startswith("--")]
            assert set(options) <= _options(module), command
            if module in ("enhance_sweep", "enhance_sweep.timing", "enhance_sweep.profile"):
                compose_config([_first_value(word) for word in words[3:] if "=" in word and word[0] not in "-$"])


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def _headings(document: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def _commands(text: str) -> Iterator[list[str]]:
    """The commands of indented blocks, one a line; a line that ends in a backslash goes on."""
    for line in re.findall(r"^ {4,}((?:python|make) .*)$", text.replace("\\\n", " "), re.MULTILINE):
        yield [word for word in shlex.split(line, comments=True) if "$" not in word]


@cache
def _options(module: str) -> set[str]:
    """The options of a command, as its `--help` lists them; Hydra's own, where it is Hydra's."""
    if module == "enhance_sweep":
        return {"--dry-run", "--cfg", "--version"}
    place = f"{module}.__main__" if (ROOT / module.replace(".", "/")).is_dir() else module
    with redirect_stdout(StringIO()) as printed, pytest.raises(SystemExit):
        importlib.import_module(place).main(["--help"])
    return set(re.findall(r"--[a-z-]+", printed.getvalue()))


def _first_value(override: str) -> str:
    """An override with the first of the values that it sweeps over."""
    name, _, values = override.partition("=")
    if values.startswith(("[", "{")):
        return override
    return f"{name}={re.split('[,)]', re.sub(r'^(choice|range|interval)[(]', '', values))[0]}"
