"""What is kept of a run: its record, its provenance and the environment it was made in."""
