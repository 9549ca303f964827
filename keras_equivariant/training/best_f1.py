"""F1 at the best threshold, batch by batch."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_equivariant")
class BestF1(keras.metrics.AUC):
    """The largest F1 = 2 TP / (2 TP + FP + FN) over thresholds that are the same for all samples.

    Args:
        **kwargs: Those of `keras.metrics.AUC`; `num_thresholds` and `from_logits` matter here.
    """

    def result(self):
        found = 2 * self.true_positives
        return ops.max(found / ops.maximum(found + self.false_positives + self.false_negatives, 1e-7))
