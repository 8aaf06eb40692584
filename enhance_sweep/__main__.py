"""`python -m enhance_sweep [-m] OVERRIDES`: train, score and time one variant, or sweep many."""

import sys

from enhance_sweep.system.environment import prepare_process
from enhance_sweep.system.signals import STOPPED
from enhance_sweep.version import VERSION_LINE


def main() -> None:
    """Run Hydra with the configuration in `conf/`."""
    if "--version" in sys.argv[1:]:
        print(VERSION_LINE)
        return
    prepare_process()  # before torch is imported
    sys.argv = ["dry_run=true" if argument == "--dry-run" else argument for argument in sys.argv]

    try:
        sys.exit(_run())
    except KeyboardInterrupt:  # also while importing, which takes seconds
        print(f"\n{STOPPED}", file=sys.stderr, flush=True)
        sys.exit(130)


def _run() -> int:
    import hydra
    from omegaconf import DictConfig

    from enhance_sweep import config
    from enhance_sweep.sweep import run as sweep

    config.register()
    sys.argv = config.spelled_out(sys.argv)

    @hydra.main(config_path=str(config.CONF_DIR), config_name="config", version_base="1.3")
    def run(composed: DictConfig) -> dict[str, object]:
        return sweep.run_one(composed)

    run()
    return sweep.exit_status()


if __name__ == "__main__":
    main()
