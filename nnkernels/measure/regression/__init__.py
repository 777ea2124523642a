"""Regression checks of kernel speed: the working tree against a base commit, and a self-test of the check itself."""
