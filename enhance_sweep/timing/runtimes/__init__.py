"""Runtimes that can run a network: one file each."""
