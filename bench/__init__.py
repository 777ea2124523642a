"""asv's benchmarks, one file a question."""

from nnkernels.measure.records.environment import neutralise_benchmark_process

# Before any benchmark does its work in an environment that distorts it.
neutralise_benchmark_process()
