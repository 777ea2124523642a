"""Mutation testing of the gate: kernels with one mistake each, none of which may get a time."""
