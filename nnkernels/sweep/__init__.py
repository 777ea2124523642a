"""Many trainings of the same network: over recipes, seeds, widths, contenders and learning rates."""
