"""A page on this computer to try trained networks on one's own photographs."""
