"""Correctness checks, timing, roofline bounds, asv driver, run records, mutation testing and regression checks."""
