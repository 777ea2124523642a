"""How long does it take? Scenarios, the tasks in them, and runs that interleave all contenders in one process."""
