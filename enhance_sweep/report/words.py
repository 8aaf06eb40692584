"""The report's sentences: templates hold the words, code gives the facts.

A template in `templates/` is plain text with a paragraph to a block of lines; page, Markdown and the command show the
same text, and each escapes it for itself. The macros of `macros.j2` and the formatters of `labels` are there in every
template.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from enhance_sweep.report import labels

_FILTERS = {
    "decimals": labels.decimals,
    "signed": labels.signed,
    "significant": labels.significant,
    "speed_up": labels.speed_up_text,
    "interval": labels.interval_text,
    "signed_interval": labels.signed_interval,
    "thousands": labels.thousands,
    "lines": lambda text: [line.strip() for line in text.splitlines() if line.strip()],
}


def paragraphs(template: str, facts: Mapping[str, Any]) -> list[str]:
    """The paragraphs of a template, each on one line."""
    text = _environment().get_template(f"{template}.j2").render(facts)
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip()]


def phrase(template: str, block: str, facts: Mapping[str, Any] | None = None) -> str:
    """Render one block of a template on one line; empty if there is nothing to say."""
    found = _environment().get_template(f"{template}.j2")
    return " ".join("".join(found.blocks[block](found.new_context(dict(facts or {})))).split())


def templates(**options: Any) -> Environment:
    """The environment of the report's templates; `options` are Jinja's, such as how values are escaped."""
    loader = PackageLoader("enhance_sweep.report", "templates")
    return Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, **options)


@cache
def _environment() -> Environment:
    # Plain text: the page and Markdown escape it themselves.
    environment = templates(
        autoescape=False, finalize=lambda value: re.sub(r"\s+", " ", value) if isinstance(value, str) else value
    )
    environment.filters |= _FILTERS
    environment.tests["number"] = labels.is_number
    environment.globals |= {"baseline": "{3, 64, 4}"}
    macros = environment.get_template("macros.j2").module
    environment.globals |= {
        name: getattr(macros, name) for name in ("count", "spread", "with_interval", "margin_of", "caveat", "off_color")
    }
    return environment
