"""Layers on features of a field type."""
