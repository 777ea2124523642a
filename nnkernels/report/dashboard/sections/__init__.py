"""The sections of the page, one module each. Each has ``build(collection)``, which returns a ``Section``."""
