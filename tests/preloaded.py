"""What most commands import, for the server that they are forked from (`tests.commands`)."""

import hydra  # noqa: F401
from hydra.core.plugins import Plugins

import enhance_sweep.sweep.run  # noqa: F401
from enhance_sweep.sweep.code_digest import code_digest

Plugins.instance()
code_digest()
