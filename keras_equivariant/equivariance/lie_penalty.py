"""A penalty on the Lie derivative: training keeps a network equivariant between the rotations of the grid."""

import keras
import numpy as np
from keras import ops

from keras_equivariant.equivariance.lie_derivative import generators, rate, rotation_axes
from keras_equivariant.graphs.symmetry import group_of, layout_of
from keras_equivariant.groups.layouts import Typed
from keras_equivariant.ops.rotation_rate import rotation_rate

LARGEST_MOVE = 0.25  # pixels that the corner of an image is moved by


def with_lie_penalty(model: keras.Model, weight: float) -> keras.Model:
    """A model over the same layers whose training step adds weight (|L f| / |f|)^2 to the loss.

    L f = d/dt [exp(-t X) f(exp(t X) x)] at t = 0 is the Lie derivative under rotations X, of volumes about each of the
    three axes for a third of the batch, of a group about one axis about that. It is measured on the batch itself, as
    the difference to images rotated so little that no pixel moves by more than a quarter, in one call with the batch: a
    step costs twice as much. In inference the model computes what `model` does.

    Args:
        model: a functional model of one input, images or volumes, and one output: numbers that do not change, an image,
            or features of a field type.
        weight: factor of the penalty.

    Returns:
        A functional `keras.Model`. Train it; `model`, whose weights are the same variables, is the one to save.

    Equivariance: that of `model`.

    Raises:
        ValueError: if the input is no image of known size.
    """
    (x,), (y,) = model.inputs, model.outputs
    sizes = tuple(x.shape[1:-1])
    if len(sizes) not in (2, 3) or None in sizes:
        raise ValueError(
            "The recipe's `lie_derivative_penalty` rotates images or volumes of known size. "
            f"Received: inputs of shape {tuple(x.shape[1:])}. Set the penalty to 0."
        )
    angle = LARGEST_MOVE / np.hypot.reduce([(n - 1) / 2 for n in sizes])
    layout = layout_of(y)
    group = group_of(model, of_grid=True)
    fiber = _fiber(layout.type, len(sizes), group) if isinstance(layout, Typed) else None
    rotations = generators(len(sizes), group).astype("float32")
    image = keras.Input(batch_shape=x.shape, dtype=x.dtype, name="image")
    both = model(WithRotated(angle, rotations, name="with_rotated")(image))
    return keras.Model(image, LiePenalty(weight, angle, rotations, fiber, name="lie_penalty")(both), name=model.name)


class WithRotated(keras.layers.Layer):
    """In training the batch, and behind it the same images rotated by a small angle; else the batch.

    Args:
        angle: in radians.
        rotations: generators of the rotations, `(1 or 3, d, d)`, see `lie_derivative.generators`.
    """

    def __init__(self, angle, rotations, **kwargs):
        super().__init__(**kwargs)
        self.angle, self.rotations = angle, rotations

    def call(self, inputs, training=None):
        if not training:
            return inputs
        return ops.concatenate(
            [inputs, inputs + self.angle * rotation_rate(inputs, _by_sample(inputs, self.rotations))], axis=0
        )


class LiePenalty(keras.layers.Layer):
    """In training the answers to the first half of a batch; how much those to its second half differ is a loss.

    Args:
        weight: of the loss.
        angle: in radians, by which the second half is rotated.
        rotations: generators of the rotations, as of `WithRotated`.
        fiber: for features of a field type the generators of their rotations, `(1 or 3, D, D)`.
    """

    def __init__(self, weight, angle, rotations, fiber=None, **kwargs):
        super().__init__(**kwargs)
        self.weight, self.angle, self.rotations, self.fiber = weight, angle, rotations, fiber

    def call(self, inputs, training=None):
        if not training:
            return inputs
        count = ops.shape(inputs)[0] // 2
        upright, rotated = inputs[:count], inputs[count:]
        y = ops.cast(upright, "float32")
        lost = (ops.cast(rotated, "float32") - y) / self.angle
        if len(y.shape) > 2:
            lost = lost - rotation_rate(y, _by_sample(y, self.rotations))
        if self.fiber is not None:
            by_sample = ops.take(
                ops.convert_to_tensor(self.fiber, "float32"), _axis_of_sample(y, len(self.fiber)), axis=0
            )
            flat = ops.reshape(y, (count, -1, y.shape[-1]))
            lost = lost - ops.reshape(ops.matmul(flat, by_sample), ops.shape(y))
        size = ops.stop_gradient(ops.mean(ops.square(y)))
        loss = self.weight * ops.mean(ops.square(lost)) / (size + 1e-12)
        self.add_loss(ops.cast(loss, keras.config.floatx()))  # fit sums no losses of different precision
        return upright


def _axis_of_sample(x, axes):
    return ops.arange(ops.shape(x)[0]) % axes


def _by_sample(x, rotations):
    """The generator, in array coordinates, for each image of a batch."""
    return ops.take(ops.convert_to_tensor(rotations), _axis_of_sample(x, len(rotations)), axis=0)


def _fiber(field_type, dimension, group):
    """For each generator the matrix that a row of channels is multiplied by, per radian."""
    layout, rows = Typed(field_type), np.eye(field_type.size)
    return np.stack([rate(rows, layout, field_type.group, axis) for axis in rotation_axes(dimension, group)])
