"""The one training loop; it names no architecture and no data set."""
