"""Timing: scenarios, their tasks, and interleaved runs that time all contenders of one process in turns."""
