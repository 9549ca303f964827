"""What layers add to the loss of a model, in the precision of its loss; not a layer of its own."""

import functools

import keras


class LossesInFloatx:
    """Mixin of layers whose penalties are in `floatx`, whatever their own precision."""

    def add_loss(self, loss):
        """Adds a regularization loss, in `floatx`: Keras's `fit` sums no losses of different precision."""
        super().add_loss(keras.tree.map_structure(_in_floatx, loss))

    def add_weight(self, *args, **kwargs):
        """Adds a weight; its regularizer answers in `floatx`, as `add_loss` does."""
        weight = super().add_weight(*args, **kwargs)
        if weight.regularizer is not None and weight.dtype != keras.config.floatx():
            weight.regularizer = functools.partial(_regularized, weight.regularizer)
        return weight


def _in_floatx(loss):
    return keras.ops.cast(loss, keras.config.floatx())


def _regularized(regularizer, weight):
    return _in_floatx(regularizer(weight))
