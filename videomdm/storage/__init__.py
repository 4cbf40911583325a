"""What lies on disk: weights and checkpoints, caches, files that are written whole or not at all."""
