"""This package's version, for whoever may not import the whole of it."""

__version__ = "0.1.0"
#: What `--version` prints.
VERSION_LINE = f"enhance_sweep {__version__}"
