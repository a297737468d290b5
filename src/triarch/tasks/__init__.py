"""What can be learned: a head, a loss and a score each."""
