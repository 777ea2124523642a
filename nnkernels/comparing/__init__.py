"""Contenders side by side in accuracy: a pair of them epoch by epoch, and the write-up's claim taken apart."""
