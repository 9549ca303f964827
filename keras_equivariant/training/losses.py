"""A loss and a metric of masks that Keras lacks."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_equivariant")
class BalancedCrossentropy(keras.losses.Loss):
    """Binary cross-entropy of logits in which both kinds of pixels weigh the same, however rare one is.

    loss = mean of -y log p / (2 f) - (1 - y) log(1 - p) / (2 (1 - f)), p = sigmoid(logit), f the frequency of ones.
    A network that knows nothing has the loss log 2, as it has without the weights.

    Args:
        frequency: The mean of the masks of the training set, in (0, 1).

    Example:
        >>> from keras_equivariant.training.losses import BalancedCrossentropy
        >>> round(float(BalancedCrossentropy(0.25)([[1.0, 0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0, 0.0]])), 4)
        0.6931

    Reference: Xie & Tu, Holistically-Nested Edge Detection, arXiv 1504.06375, eq. 2 (there f is each image's own).
    """

    def __init__(self, frequency, name="balanced_crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        if not 0 < frequency < 1:
            raise ValueError(
                "`frequency` must lie between 0 and 1: masks of one kind of pixels teach nothing. "
                f"Received: frequency={frequency}. Use the mean of the training masks."
            )
        self.frequency = frequency

    def call(self, y_true, y_pred):
        ones = y_true * ops.softplus(-y_pred) / (2 * self.frequency)
        zeros = (1 - y_true) * ops.softplus(y_pred) / (2 * (1 - self.frequency))
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
