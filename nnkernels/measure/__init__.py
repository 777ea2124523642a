"""Proof before time, and honest time: oracle, gate, paired segments, the driver of asv, provenance."""
