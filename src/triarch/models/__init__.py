"""The architectures: one file each; the folders are the registry."""
