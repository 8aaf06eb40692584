"""Trained networks as files for other runtimes, each checked against eager, with scores, speed and a model card."""
