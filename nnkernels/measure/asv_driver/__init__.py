"""The driver of asv: the plan of a run, asv's child processes, their files, and the checkout that is measured."""
