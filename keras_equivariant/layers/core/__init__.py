"""What the layers of all families share: strictness, weights, windows, types."""
