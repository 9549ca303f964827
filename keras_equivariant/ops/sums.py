"""Sums whose terms are of any shapes that fit together."""

from keras import ops


def plus(x, y):
    """x + y, broadcast as NumPy does.

    Keras on TensorFlow takes a second term with a single long axis for the bias of a channel. With a batch of one, as
    points that all samples share have, it then adds along another axis than broadcasting does, or as an operation whose
    rank TFLite and ONNX do not have.
    """
    return ops.subtract(x, ops.negative(y))
