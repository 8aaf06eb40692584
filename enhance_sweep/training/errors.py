"""What a training can fail with."""


class DivergedError(RuntimeError):
    """The loss of a training is no longer a number, or has exploded."""
