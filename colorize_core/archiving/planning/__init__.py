"""Plans a run: the photographs to colorize, and the name of each result."""
