"""Forecasts beyond the budget: small runs, and what the laws through them foretell."""
