"""Where a sweep's variants are run: beside each other on this machine, on a Ray cluster, by Slurm.

A launcher carries jobs and knows nothing of what they do. Hydra finds them in
`hydra_plugins/enhance_sweep_launchers.py`.
"""
