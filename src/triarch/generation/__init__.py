"""One generator for all families: it knows only that a network goes on step by step from a state."""
