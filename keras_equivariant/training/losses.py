"""A loss and a metric of masks that Keras lacks."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("keras_equivariant")
class BalancedCrossentropy(keras.losses.Loss):
    """Binary cross-entropy of logits in which both kinds of pixels weigh the same, however rare one is.

    loss = mean of -y log p / (2 f) - (1 - y) log(1 - p) / (2 (1 - f)), p = sigmoid(logit), f the frequency of ones.
    A network that knows nothing has the loss log 2, as it has without the weights.

    Args:
        frequency: The mean of the masks of the training set, in (0, 1), or a list of those of several labels.

    Example:
        >>> from keras_equivariant.training.losses import BalancedCrossentropy
        >>> round(float(BalancedCrossentropy(0.25)([[1.0, 0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0, 0.0]])), 4)
        0.6931

    Reference: Xie & Tu, Holistically-Nested Edge Detection, arXiv 1504.06375, eq. 2 (there f is each image's own).
    """

    def __init__(self, frequency, name="balanced_crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        if not np.all((0 < np.array(frequency)) & (np.array(frequency) < 1)):
            raise ValueError(
                "`frequency` must lie between 0 and 1: masks of one kind of pixels teach nothing. "
                f"Received: frequency={frequency}. Use the mean of the training masks."
            )
        self.frequency = frequency

    def call(self, y_true, y_pred):
        frequency = ops.convert_to_tensor(self.frequency, y_pred.dtype)
        ones = y_true * ops.softplus(-y_pred) / (2 * frequency)
        zeros = (1 - y_true) * ops.softplus(y_pred) / (2 * (1 - frequency))
        return ops.mean(ones + zeros, axis=-1)

    def get_config(self):
        return {**super().get_config(), "frequency": self.frequency}


@keras.saving.register_keras_serializable("keras_equivariant")
class BestF1(keras.metrics.AUC):
    """The largest F1 = 2 TP / (2 TP + FP + FN) over thresholds that are the same for all samples.

    Args:
        **kwargs: Those of `keras.metrics.AUC`; `num_thresholds` and `from_logits` matter here.
    """

    def result(self):
        found = 2 * self.true_positives
        return ops.max(found / ops.maximum(found + self.false_positives + self.false_negatives, 1e-7))


@keras.saving.register_keras_serializable("keras_equivariant")
class ScaledError(keras.losses.Loss):
    """The mean of |y - y'|^power / scale^power: the error of answers in the units of the targets, itself without units.

    Args:
        scale: The spread of the training targets, a number or a list of one for each component.
        power: 2, squared errors, or 1, absolute ones.

    Example:
        >>> from keras_equivariant.training.losses import ScaledError
        >>> float(ScaledError(10.0)([[30.0]], [[10.0]]))
        4.0
    """

    def __init__(self, scale=1.0, power=2, name="scaled_error", **kwargs):
        super().__init__(name=name, **kwargs)
        self.scale, self.power = scale, power

    def call(self, y_true, y_pred):
        off = ops.abs(ops.cast(y_true, y_pred.dtype) - y_pred) / ops.convert_to_tensor(self.scale, y_pred.dtype)
        return ops.mean(off**self.power, axis=-1)

    def get_config(self):
        scale = self.scale.tolist() if hasattr(self.scale, "tolist") else self.scale
        return {**super().get_config(), "scale": scale, "power": self.power}


def _unit(vectors):
    """Vectors of length 1, whatever their units, those of no length as they are."""
    vectors = ops.cast(vectors, "float32")
    largest = ops.max(ops.abs(vectors), axis=-1, keepdims=True)
    vectors = vectors / ops.where(largest > 0, largest, 1.0)  # else squares of tiny ones are nothing
    return vectors / ops.maximum(ops.norm(vectors, axis=-1, keepdims=True), 1e-12)


@keras.saving.register_keras_serializable("keras_equivariant")
class AngularError(keras.metrics.MeanMetricWrapper):
    """The mean angle in degrees between vectors, of those of the plane divided by their frequency.

    Args:
        frequency: By how much faster than the image a vector rotates: 1, or 2 for axes.
        **kwargs: Those of `keras.metrics.Metric`.
    """

    def __init__(self, frequency=1, name="angle_error", dtype=None):
        def angle(y_true, y_pred):
            cos = ops.sum(_unit(y_true) * _unit(y_pred), axis=-1)
            return ops.arccos(ops.clip(cos, -1.0, 1.0)) * (57.29577951308232 / frequency)

        super().__init__(angle, name=name, dtype=dtype)
        self.frequency = frequency

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype, "frequency": self.frequency}


@keras.saving.register_keras_serializable("keras_equivariant")
class ClassCrossentropy(keras.losses.Loss):
    """Cross-entropy of logits `(..., classes)` against class numbers `(..., 1)`: mean of -w_k log softmax(logits)_k.

    Args:
        weights: One number a class, or None for 1 each.
    """

    def __init__(self, weights=None, name="class_crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.weights = weights

    def call(self, y_true, y_pred):
        labels = ops.cast(y_true[..., 0], "int32")
        loss = ops.sparse_categorical_crossentropy(labels, y_pred, from_logits=True)
        if self.weights is not None:
            loss = loss * ops.take(ops.convert_to_tensor(self.weights, loss.dtype), labels)
        return loss

    def get_config(self):
        return {**super().get_config(), "weights": self.weights}


@keras.saving.register_keras_serializable("keras_equivariant")
class MeanF1(keras.metrics.Metric):
    """The mean over the classes that occur of F1 = 2 TP / (2 TP + FP + FN), of the largest logit at each pixel.

    Args:
        classes: How many there are.
        **kwargs: Those of `keras.metrics.Metric`.
    """

    def __init__(self, classes, name="f1", **kwargs):
        super().__init__(name=name, **kwargs)
        self.classes = classes
        self.right = self.add_weight(shape=(classes,), initializer="zeros", name="right")
        self.both = self.add_weight(shape=(classes,), initializer="zeros", name="both")

    def update_state(self, y_true, y_pred, sample_weight=None):
        truth = ops.one_hot(ops.reshape(ops.cast(y_true, "int32"), (-1,)), self.classes)
        found = ops.one_hot(ops.reshape(ops.argmax(y_pred, axis=-1), (-1,)), self.classes)
        self.right.assign_add(ops.sum(truth * found, axis=0))
        self.both.assign_add(ops.sum(truth + found, axis=0))

    def result(self):
        there = ops.cast(self.both > 0, "float32")
        return ops.sum(2 * self.right / ops.maximum(self.both, 1.0)) / ops.maximum(ops.sum(there), 1.0)

    def get_config(self):
        return {**super().get_config(), "classes": self.classes}
