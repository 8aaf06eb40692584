"""Which photo-enhancing network gives the most quality for the CPU time it costs?

A rebuilding and extension of "Fast Perceptual Image Enhancement" (de Stoutz et al. 2018). Importing this package is
light on purpose: whatever needs torch is imported where it is used, so that a process can set its allocator and its
threads first.
"""

__version__ = "0.1.0"
