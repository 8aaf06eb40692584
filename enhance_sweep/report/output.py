"""A report's folder, written whole or not at all."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from enhance_sweep.report.page import FILES, PAGE, PHOTOGRAPHS
from enhance_sweep.report.results import ReportError


def write_files(out: Path, files: Mapping[str, bytes]) -> Path:
    """Put a report's files into a folder, which may hold an older report and things of other origin.

    All are first written beside the folder and then moved into it one by one, the page last, so that a report that
    cannot be finished changes nothing. An older report's file that this one does not have goes; nothing else does.

    Returns:
        The page's path.

    Raises:
        ReportError: the folder cannot be written.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    except OSError as error:
        raise ReportError(f"cannot write a report at {out} ({error}): choose another folder with --out") from error
    try:
        for name, data in files.items():
            (building / name).write_bytes(data)
        out.mkdir(exist_ok=True)
        for name in sorted(files, key=lambda name: name == PAGE):
            (building / name).replace(out / name)
        for name in {*FILES, *(path.name for path in out.glob(PHOTOGRAPHS))} - files.keys():
            (out / name).unlink(missing_ok=True)
    except OSError as error:
        raise ReportError(f"cannot write a report at {out} ({error}): choose another folder with --out") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return out / PAGE
