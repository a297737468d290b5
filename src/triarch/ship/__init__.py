"""A trained model as a folder: saved, loaded, used, proven."""
