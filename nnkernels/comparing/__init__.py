"""Comparison of contenders' accuracy: pairwise after each epoch, and in an experiment on the write-ups' claim."""
