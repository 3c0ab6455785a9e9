"""Who serves models: a table of values, no code."""
