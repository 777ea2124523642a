"""asv, driven: what a run plans, the child processes, their files, and the checkout that is measured."""
