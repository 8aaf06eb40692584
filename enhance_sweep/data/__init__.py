"""Pairs of phone and camera photographs: where they come from, how they are packed, how batches are drawn."""
