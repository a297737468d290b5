"""Counts and times of any module, and the statistics of scores."""
