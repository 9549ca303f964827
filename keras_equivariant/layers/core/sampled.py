"""What the layers share that activate the values of functions given by coefficients; not a layer of its own."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_equivariant.layers.core.activations import activation_of
from keras_equivariant.layers.core.base import stock
from keras_equivariant.layers.core.fiberwise import Fiberwise
from keras_equivariant.layers.core.options import Activation, FieldsLike, GroupLike, passed_on
from keras_equivariant.ops import activations


class Sampled(Fiberwise):
    """R activation(S x) for each of `functions` functions; subclasses set that number, `_sampling` S and `_back` R^T.

    A block of a type holds component after component, in each of them copy after copy of an irrep, and in each of
    these the functions.
    """

    functions = 1
    _problem = ""  # what an element that must permute the samples does instead

    def __init__(self, in_type: FieldsLike, group: GroupLike | None, activation: Activation, **kwargs: Any) -> None:
        super().__init__(**passed_on(locals()))
        self.activation = activation_of(activation, alone=True)

    def symmetry_problems(self, input_shape):
        over_pixels = len(input_shape) == 2 + self.group.dimension
        if not self._problem or not (over_pixels or self.group.is_finite):
            return []  # without pixels a continuous group has no elements that must be exact
        return [
            f"it {self._problem}. Received: {len(self._sampling)} samples; use such as it permutes, or "
            "FourierActivation's default grid"
        ]

    def compute(self, x, training=False):
        return activations.activate_samples(x, self._sampling, self._back, self.activation)

    def fold(self, input_shape):
        """Two linear maps with the activation between them, stock convolutions of one pixel."""
        there = np.kron(self._sampling.T, np.eye(self.functions))
        back = np.kron(self._back, np.eye(self.functions))
        activation = keras.activations.serialize(self.activation)
        options = [{"activation": activation, "name": f"{self.name}_samples"}, {"name": self.name}]
        rank = len(input_shape) - 2
        maps = zip((there, back), options, strict=True)
        if rank not in (2, 3):
            return [(keras.layers.Dense(m.shape[1], use_bias=False, **words), [m]) for m, words in maps]
        return [
            (stock("Conv", rank)(m.shape[-1], 1, use_bias=False, **words), [m.reshape(*(1,) * rank, *m.shape)])
            for m, words in maps
        ]
