"""Processes and disks: environment, leases, locks, files, signals. Knows nothing of networks."""
