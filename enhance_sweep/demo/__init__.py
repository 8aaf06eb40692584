"""A local page to try trained networks on your own photographs."""
