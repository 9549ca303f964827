"""Numerics on tensors, keras.ops only."""
