"""The accuracy benchmark: how accurate each accurate recipe is, and whether Keras reaches the same with it."""
