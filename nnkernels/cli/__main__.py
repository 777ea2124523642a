"""Entry point of ``python -m nnkernels.cli``."""

from nnkernels.cli import main

main()
