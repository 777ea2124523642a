"""Presentation of results: tidy rows, tables and pages, derived only from the files under ``results/``."""
