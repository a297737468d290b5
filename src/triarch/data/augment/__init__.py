"""Variations of training batches: whole batches at once, each a function of its random numbers."""
