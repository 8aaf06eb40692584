"""Hydra looks for sweepers here; ours is in `enhance_sweep.sweep.run`, imported when used."""

from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper


class VariantSweeper(BasicSweeper):
    """Hydra's grid of variants, all checked before the first is trained."""

    def sweep(self, arguments: list[str]) -> Any:
        """Run every combination; returns a list of Hydra's job returns for each batch."""
        from enhance_sweep.sweep.run import sweep_variants

        assert self.config is not None
        assert self.hydra_context is not None
        assert self.launcher is not None
        return sweep_variants(
            self.config, self.hydra_context.config_loader, self.launcher, dict(self.params or {}), arguments
        )
