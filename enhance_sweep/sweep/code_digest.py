"""Which code made a result: a digest of the meaning of all sources that decide weights and scores."""

from functools import cache
from pathlib import Path

from enhance_sweep.records.code_versions import canonical
from enhance_sweep.system.code_meaning import digest_of

_PACKAGE = Path(__file__).parents[1]
#: The packages that decide what is learned and how it is scored.
_ROOMS = ("data", "losses", "metrics", "models", "training")


@cache
def code_digest() -> str:
    """12 hexadecimal digits, the same for all sources of one meaning."""
    return canonical(digest_of(path.read_text("utf-8") for room in _ROOMS for path in (_PACKAGE / room).rglob("*.py")))
