"""Which architecture: baselines, candidates, the race between them, the verdict and its report."""
