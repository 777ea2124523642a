"""Records of runs: results, provenance, and the settings of the environment."""
