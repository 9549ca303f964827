"""Less memory for a training step."""

from keras_equivariant.training.memory.rematerialize import rematerialize

__all__ = ["rematerialize"]
