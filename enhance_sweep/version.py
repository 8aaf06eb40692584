"""This package's version, in a module that imports nothing."""

__version__ = "0.1.0"
#: What `--version` prints.
VERSION_LINE = f"enhance_sweep {__version__}"
