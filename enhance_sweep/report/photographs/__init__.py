"""Photographs as each network enhances them, side by side."""
