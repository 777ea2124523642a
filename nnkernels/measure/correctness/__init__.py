"""Is a contender right? The gate that precedes every time, and the float64 oracle behind it."""
