"""Layers on points lifted to a Lie group."""
