"""Comparison of contenders' accuracy: pairwise after each epoch, and by the experiment on the write-up's claim."""
