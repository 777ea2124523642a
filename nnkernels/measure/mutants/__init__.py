"""Mutation testing of the gate: kernels with one deliberate mistake each, which the gate must reject."""
