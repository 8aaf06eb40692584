"""Trained networks as files for other runtimes, each checked against eager, with its figures and a model card."""
