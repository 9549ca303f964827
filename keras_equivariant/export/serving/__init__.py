"""Exported models behind a server."""
