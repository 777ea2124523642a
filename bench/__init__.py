"""The benchmarks that asv runs. Each file answers one question.

asv calls a benchmark with every combination of its class' ``params``. These parameters have the same meaning
everywhere:

- ``contender``, ``backend``, ``step``: the name of what is measured.
- ``against``: the contender that it is compared with.
- ``threads``: the thread setting, ``1`` or ``all``.
- ``dataset``: the name of a data set. Benchmarks are skipped on machines with another one.

A ``track_`` benchmark returns its samples. asv times a ``time_`` benchmark itself. A result of ``setup_cache`` is
passed to each benchmark of its class, as ``measured``.
"""

from nnkernels.measure.records.environment import neutralise_benchmark_process

# This must run before any benchmark does, because the environment may distort times.
neutralise_benchmark_process()
