"""Roofline bounds: measured limits of this machine, and lower bounds of the time of a workload on it."""
