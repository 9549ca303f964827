from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_equivariant.layers.core.activations import activated, activation_of
from keras_equivariant.layers.core.base import EquivariantLayer, register
from keras_equivariant.layers.core.options import Activation, Anything, passed_on
from keras_equivariant.layers.core.typed import Typed, check_activation
from keras_equivariant.ops import expansion
from keras_equivariant.stock import making
from keras_equivariant.stock.traits import is_linear
from keras_equivariant.utils.checks import not_negative
from keras_equivariant.utils.text import share


@register
class Relaxed(EquivariantLayer):
    """An equivariant convolution or dense layer beside a free one: how much symmetry is kept is learned.

    y = activation(K * x + w R * x + bias), K on the layer's basis, R any kernel of the same size, w a number;
    loss = penalty |w R|^2

    R begins at 0, so that the layer begins as the exact one. `symmetry_kept` says how much of the kernel is equivariant
    at any time; `ke.relax` puts such layers into a model, `ke.project` takes them out again.

    Args:
        layer: a lifting, group or steerable convolution, or a `SteerableDense`. A copy of it without its activation is
            taken, with its weights where it is built.
        penalty: of the free kernel: how much symmetry is worth, from 0. The larger, the nearer to exact.
        activation: by default that of `layer`, on a field type one that its `layer` would take.
        strict: raise where the activation breaks the exact symmetry; with False warn once. The layer inside has its
            own.
        **kwargs: those of `keras.layers.Layer`; `dtype` is by default that of `layer`, and the copy has it, too.

    Input shape:
        That of `layer`.

    Output shape:
        That of `layer`.

    Equivariance: that of `layer` where w R is 0; else broken by what `certify` measures and `gain` bounds.

    Raises:
        ValueError: another layer, one with a trainable basis or with `antialias`, a negative penalty, an activation
            that does not commute with the type of the features.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.Relaxed(ke.layers.LiftingConv2D(4, 3, group="C4"), penalty=1e-3)
        >>> layer(np.zeros((1, 9, 9, 1), "float32")).shape, layer.symmetry_kept
        (TensorShape([1, 7, 7, 4, 4]), 1.0)

    Reference: Finzi, Benton & Wilson, Residual Pathway Priors, arXiv 2112.01388; Wang, Walters & Yu, Approximately
    Equivariant Networks, arXiv 2201.11969.
    """

    def __init__(
        self,
        layer: Anything,
        penalty: float = 1e-3,
        activation: Activation | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        kwargs = {"dtype": getattr(layer, "dtype_policy", None), **kwargs}
        super().__init__(**passed_on(locals()))
        if not relaxes(layer):
            raise ValueError(
                "Relaxed takes a lifting, group or steerable convolution or a SteerableDense, with a fixed basis and "
                f"without antialias. Received: layer={layer!r}; leave this layer as it is"
            )
        self.penalty = not_negative(penalty, "penalty")
        self.activation = layer.activation if activation is None else activation_of(activation)
        if isinstance(layer, Typed):
            check_activation(self.activation, layer.out_type)
        self.layer = _copied(layer, self.dtype_policy)
        self.group, self.rank = layer.group, getattr(layer, "rank", None)

    def build(self, input_shape):
        if self.activation_problems(input_shape):
            self.check_symmetry(input_shape)
        if not self.layer.built:
            self.layer.build(input_shape)
        self.strength = self.add_weight(name="strength", shape=(), initializer="ones")
        shape = tuple(self.layer.expanded_kernel().shape)
        self.residual = self.add_weight(name="residual", shape=shape, initializer="zeros", autocast=False)

    def free_kernel(self):
        """w R, in the shape of `layer.expanded_kernel()`."""
        return ops.cast(self.strength, self.residual.dtype) * ops.convert_to_tensor(self.residual)

    def call(self, inputs, training=None):
        y, free = self.layer(inputs), self.free_kernel()
        if training and self.penalty:
            self.add_loss(self.penalty * ops.sum(ops.square(free)))
        channels = int(free.shape[-2])
        x = ops.reshape(inputs, (-1, *ops.shape(inputs)[1 : len(inputs.shape) - self._fiber], channels))
        branch = x @ ops.cast(free, x.dtype) if len(free.shape) == 2 else self.layer._convolve(x, free)
        return activated(self.activation, y + ops.reshape(branch, ops.shape(y)))

    @property
    def _fiber(self):
        """Axes of the input behind those of space."""
        return 2 if getattr(self.layer, "lifting", None) is False else 1

    def split_kernel(self):
        """The equivariant part of the whole kernel K + w R and the rest, orthogonal to it: two float64 arrays."""
        whole = keras.ops.convert_to_numpy(self.layer.expanded_kernel()).astype("float64")
        whole = whole + keras.ops.convert_to_numpy(self.free_kernel()).astype("float64")
        kept = self.projected(whole, dtype="float64").expanded_kernel()
        kept = keras.ops.convert_to_numpy(kept).astype("float64")
        return kept, whole - kept

    def projected(self, kernel, **changes):
        """A layer like the one inside, with the kernel of its basis nearest to an array, and the bias."""
        found = type(self.layer).from_config({**self.layer.get_config(), **changes})
        found.build((None, *self._input_shape[1:]))
        found.kernel.assign(found.coefficients(kernel))
        if found.bias is not None:
            found.bias.assign(keras.ops.convert_to_numpy(self.layer.bias))
        return found

    @property
    def _input_shape(self):
        return self.get_build_config()["input_shape"]

    @property
    def symmetry_kept(self):
        """How much of the kernel is equivariant, |its projection onto the basis|^2 / |K + w R|^2: 1 for the exact."""
        kept, broken = (float(np.sum(part**2)) for part in self.split_kernel())
        return 1.0 if not broken else kept / (kept + broken)

    @property
    def gain(self):
        """A bound of |y - y'| / |x| before the activation, y' without the part of the kernel that is not equivariant:
        the spectral norms of its taps, added up; times what a padding repeats."""
        broken = self.split_kernel()[1]
        taps = broken.reshape(-1, *broken.shape[-2:])
        return float(np.linalg.norm(taps, ord=2, axis=(1, 2)).sum()) * self._repeats()

    def _repeats(self):
        mode = getattr(self.layer, "padding_mode", "zeros")
        if mode in ("zeros", "circular"):
            return 1.0
        window = self.layer.windows(**self.layer.window_arguments())
        times = [2 if mode == "reflect" else one.extent // 2 + 1 for one in window]  # a border pixel is read by a tap
        return math.sqrt(math.prod(times))

    def check_features(self, layout, shapes):
        self.layer.check_features(layout, shapes)

    def _check_sources(self, tensors):
        self.layer._check_sources(tensors)  # it has its own `strict`

    def law(self, layout, shapes):
        return self.layer.law(layout, shapes)

    def expected_layout(self, shape):
        return self.layer.expected_layout(shape)

    def symmetry_problems(self, input_shape):
        found = self.layer.symmetry_problems(input_shape) + self.activation_problems(input_shape)
        if self.built and np.any(keras.ops.convert_to_numpy(self.free_kernel())):
            found = [
                *found,
                f"its free kernel keeps no symmetry: {share(self.symmetry_kept)} of the whole kernel is kept",
            ]
        return found

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)

    def fold(self, input_shape):
        free, steps = self.free_kernel(), []
        for step, weights in self.layer.fold(input_shape):
            if weights:
                if tuple(weights[0].shape) != tuple(free.shape):  # the zeros between dilated taps are written out
                    free = expansion.dilate(free, self.layer.dilation_rate)
                weights = [ops.convert_to_tensor(weights[0]) + free, *weights[1:]]
            steps.append((step, weights))
        if not is_linear(self.activation):  # a layer, for what looks at all fields at once needs them side by side
            steps.append((making.make(keras.layers.Activation, self.activation, name=f"{self.name}_activation"), []))
        return steps

    def get_config(self):
        inside = keras.saving.serialize_keras_object(self.layer)
        activation = keras.activations.serialize(self.activation)
        return {**super().get_config(), "layer": inside, "activation": activation}

    @classmethod
    def from_config(cls, config):
        return super().from_config({**config, "layer": keras.saving.deserialize_keras_object(config["layer"])})


def _copied(layer, dtype):
    """A layer like this one, of another dtype and without its activation."""
    found = type(layer).from_config({**layer.get_config(), "activation": None, "dtype": dtype})
    if layer.built:
        found.build(layer.get_build_config()["input_shape"])
        found.set_weights(layer.get_weights())
    return found


def relaxes(layer):
    """Whether a layer can have a free kernel beside its own."""
    known = all(hasattr(layer, name) for name in ("coefficients", "expanded_kernel", "activation"))
    plain = not getattr(layer, "antialias", False) and not getattr(layer, "trainable_basis", False)
    return known and plain and not hasattr(layer, "output_padding") and not hasattr(layer, "depth_multiplier")
