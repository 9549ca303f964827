"""Checks, text and optional imports that all parts share."""
