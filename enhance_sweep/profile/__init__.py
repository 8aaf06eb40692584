"""`python -m enhance_sweep.profile`: where the time of a training step goes."""
