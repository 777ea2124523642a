"""Is a contender right? The gate that precedes every time, the float64 oracle behind it, and the extreme inputs."""
