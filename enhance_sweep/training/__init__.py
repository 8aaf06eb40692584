"""The Lightning module that trains one variant, and its callbacks."""
