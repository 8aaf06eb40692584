"""A report's folder, written whole or not at all."""

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from enhance_sweep.report.page.page import PAGE
from enhance_sweep.report.results.select import ReportError

#: How a page lists the files beside it, and the element that marks it as a report.
_LISTED = re.compile(r'<a href="([A-Za-z0-9_.-]+)" download>')
_MARK = '<script type="text/plain" id="plotly">'


def write_files(out: Path, files: Mapping[str, bytes]) -> Path:
    """Put a report's files into a folder, which may hold an older report and other files.

    All are written into a temporary folder there and then moved one by one, the page last, so an unfinished report
    changes nothing. Only files that an older report's page lists and this one lacks are deleted.

    Returns:
        The page's path.

    Raises:
        ReportError: the folder cannot be written, or has a page that is not a report.
    """
    try:
        older = _older(out / PAGE)
        # Inside the folder if it exists: it may be a separate file system, or the only place with write permission.
        place = out if out.is_dir() else out.parent
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place, prefix=f".{out.name}.", ignore_cleanup_errors=True) as building:
            for name, data in files.items():
                Path(building, name).write_bytes(data)
            out.mkdir(exist_ok=True)
            for name in sorted(files, key=lambda name: name == PAGE):
                Path(building, name).replace(out / name)
            for name in older - files.keys():
                (out / name).unlink(missing_ok=True)
    except OSError as error:
        raise ReportError(f"cannot write a report at {out} ({error}): choose another folder with --out") from error
    return out / PAGE


def _older(page: Path) -> set[str]:
    """The files that an older report's page lists; none where there is no page."""
    if not page.exists():
        return set()
    text = page.read_text(encoding="utf-8", errors="replace")
    if _MARK not in text:
        raise ReportError(f"{page} is not a report of this tool and would be lost: choose another folder with --out")
    return set(_LISTED.findall(text))
