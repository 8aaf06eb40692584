"""A sweep of made-up jobs for the launchers' tests, by `seed`: slow, killed, failing, giving up, and ordinary ones."""

import hydra
from omegaconf import DictConfig

from enhance_sweep import config

config.register()


@hydra.main(config_path=str(config.CONF_DIR), config_name="config", version_base="1.3")
def task(settings: DictConfig) -> dict[str, str]:
    import json
    import os
    import signal
    import sys
    import time
    from pathlib import Path

    folder = Path("ends")  # relative: jobs start where the sweep was started
    folder.mkdir(exist_ok=True)
    seed = settings.seed
    if seed == 0:
        # Ends only when all others have: for ever, if any of them is kept waiting for it.
        deadline = time.monotonic() + 200
        while len(list(folder.iterdir())) < 4:
            if time.monotonic() > deadline:
                raise TimeoutError(f"others have not ended: {sorted(folder.iterdir())}")
            time.sleep(0.05)
    if seed == 1 and not Path("killed").exists():
        Path("killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    environment = {name: value for name, value in os.environ.items() if name.startswith(("MALLOC", "GLIBC", "OMP"))}
    ended = {"pid": os.getpid(), "torch": "torch" in sys.modules, "environment": environment}
    (folder / f"{seed}.json").write_text(json.dumps(ended))
    if seed == 2:
        raise ValueError("a bug")
    if seed == 3:
        sys.exit("error: no such photograph")
    return {"name": f"number {seed}", "status": "completed"}


if __name__ == "__main__":
    task()
