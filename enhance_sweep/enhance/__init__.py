"""Apply a trained variant to photographs."""
