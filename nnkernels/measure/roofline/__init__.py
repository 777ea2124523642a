"""Roofline bounds: the measured peaks of this machine, and the least time that a workload can take on it."""
