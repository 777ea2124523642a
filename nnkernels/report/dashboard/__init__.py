"""The published dashboard: a static site that is built from the recorded results alone."""
