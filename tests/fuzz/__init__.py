"""Mutated files for every reader: each is read, or refused by an error of nnkernels, in bounded time and memory."""
