"""Networks that join two families."""
