"""Compiled kernels of the transforms. All pixels are computed in integers, so that they are the same on every CPU."""
