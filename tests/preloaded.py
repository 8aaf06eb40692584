"""What most commands import, for the server that they are forked from (`tests.commands`)."""

import hydra  # noqa: F401
from hydra.core.plugins import Plugins

import enhance_sweep.sweep.run  # noqa: F401
from enhance_sweep.sweep.code_digest import code_digest
from enhance_sweep.timing import gauge, worker

Plugins.instance()
code_digest()
# The arithmetic limit of small matrices: no test asks what it is.
worker._LIMIT_SIDES = (256,)
# Other tests run beside these, so the machine is never quiet.
gauge._PATIENCE_S = 0.0
