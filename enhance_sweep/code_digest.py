"""Which code made a result: a digest of the sources that decide weights and scores."""

import hashlib
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent
#: The rooms that decide what is learned and how it is scored.
_ROOMS = ("data", "losses", "metrics", "models", "training")


@cache
def code_digest() -> str:
    """12 hexadecimal digits, the same wherever the same sources lie."""
    digest = hashlib.sha256()
    for path in sorted(path for room in _ROOMS for path in (_PACKAGE / room).rglob("*.py")):
        digest.update(f"{path.relative_to(_PACKAGE).as_posix()}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
