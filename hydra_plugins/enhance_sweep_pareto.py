"""Hydra looks for sweepers here; this one is in `enhance_sweep.search.sweeper`, imported when used."""

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, ListConfig


class ParetoSweeper(Sweeper):
    """Searches for the frontier of latency and quality, with proposals from Optuna.

    Args:
        max_batch_size: how many jobs the launcher gets at once.
        params: the space: overrides by name, which the command line can replace one by one.
        when: conditions on parameters, by name.
        families: a list of models, or `all`: their ranges stand in their YAML files.
        known: networks to try first.
    """

    def __init__(
        self,
        max_batch_size: int,
        params: DictConfig | None,
        when: DictConfig | None,
        families: ListConfig | str | None = None,
        known: ListConfig | None = None,
    ) -> None:
        self.max_batch_size = max_batch_size
        self.params = params
        self.when = when
        self.families = families
        self.known = known

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep the configuration, and make the launcher."""
        from hydra.core.plugins import Plugins

        self.config = config
        self.hydra_context = hydra_context
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Search until all trials are finished; returns a list of Hydra's job returns for each batch."""
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
            self.families,
            self.known,
        )
