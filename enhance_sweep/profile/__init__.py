"""Where a training step's time goes: `python -m enhance_sweep.profile`."""
