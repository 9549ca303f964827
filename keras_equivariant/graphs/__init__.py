"""Keras models as lists of calls: reading and rewriting them."""
