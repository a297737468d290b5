"""Plain values and small services; knows nothing of learning."""
