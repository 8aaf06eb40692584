"""Where Hydra looks for sweepers; this one is in `enhance_sweep.search.sweeper`, imported when it is used."""

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class ParetoSweeper(Sweeper):
    """A search for the frontier between latency and quality, with Optuna proposing.

    Args:
        max_batch_size: jobs that the launcher gets at once.
        params: the space, overrides by name; the command line replaces them one by one.
        when: on what a parameter depends, conditions by name.
    """

    def __init__(self, max_batch_size: int, params: DictConfig | None, when: DictConfig | None) -> None:
        self.max_batch_size = max_batch_size
        self.params = params
        self.when = when

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra hands over, and make its launcher."""
        from hydra.core.plugins import Plugins

        self.config = config
        self.hydra_context = hydra_context
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Search until all trials are told; returns Hydra's job returns, a list a batch."""
        from enhance_sweep.search.sweeper import search_variants

        assert self.config is not None
        assert self.hydra_context is not None
        assert self.launcher is not None
        return search_variants(
            self.config,
            self.hydra_context.config_loader,
            self.launcher,
            self.params,
            self.when,
            arguments,
            self.max_batch_size,
        )
