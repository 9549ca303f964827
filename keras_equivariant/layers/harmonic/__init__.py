"""Layers on harmonic features, complex rotation orders."""
