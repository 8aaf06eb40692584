"""Launchers run a sweep's variants: in parallel on this machine, on a Ray cluster, or through Slurm.

A launcher carries jobs and knows nothing of what they do. Hydra finds them in
`hydra_plugins/enhance_sweep_launchers.py`.
"""
