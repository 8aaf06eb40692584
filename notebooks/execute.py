"""Run `frontier.ipynb` from top to bottom and keep its outputs: `python notebooks/execute.py` (extra `notebook`).

What changes from run to run without meaning anything (times, ids, the Python's version) is not kept, so that a
difference in the repository is a difference in an answer.
"""

import argparse
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parent / "frontier.ipynb"
#: No cell takes more than seconds.
TIMEOUT_S = 120


def execute(path: Path) -> nbformat.NotebookNode:
    """The notebook with its outputs, run in its own folder.

    Raises:
        CellExecutionError: a cell failed.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=TIMEOUT_S, record_timing=False, resources={"metadata": {"path": str(path.parent)}}
    )
    client.execute()
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02d}"
        cell["metadata"] = {}
    notebook["metadata"] = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return notebook


def main() -> None:
    """Execute a notebook in place."""
    parser = argparse.ArgumentParser(description="Run the frontier notebook and keep its outputs.")
    parser.add_argument("notebook", type=Path, nargs="?", default=NOTEBOOK, help="(default: %(default)s)")
    path = parser.parse_args().notebook
    nbformat.write(execute(path), path)
    print(path)


if __name__ == "__main__":
    main()
