"""Layers for Keras that are equivariant by construction, and a compiler from YAML specs to whole models."""

from keras_equivariant import groups, layers
from keras_equivariant.version import __version__

__all__ = ["__version__", "groups", "layers"]
