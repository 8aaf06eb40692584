"""How a training can fail."""


class DivergedError(RuntimeError):
    """The loss is no longer a number, or has exploded."""
