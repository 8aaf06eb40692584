"""Processes and disks: environment, leases, locks, files, signals. Knows nothing about networks."""
