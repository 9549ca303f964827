"""Layers on regular features, functions on space times a group."""
