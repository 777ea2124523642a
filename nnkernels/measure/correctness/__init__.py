"""Correctness checks that precede every timing: the gate, its float64 oracle, and the extreme inputs."""
