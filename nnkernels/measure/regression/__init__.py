"""Has a kernel become slower? The working tree against a base commit, and how far such a verdict can be trusted."""
