"""Proofs from the file alone: that an exported network commutes with its symmetry, layer by layer."""
