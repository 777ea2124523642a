"""asv's benchmarks, one file a question."""
