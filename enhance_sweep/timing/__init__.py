"""Speed and memory of an architecture on this host, measured in fresh processes: see `enhance_sweep.timing.protocol`.

Nothing is imported here: a measured process must be pinned before it imports numpy or torch.
"""
