"""Raw files and tables → batches, and the facts about them."""
