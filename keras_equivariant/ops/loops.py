"""A step done many times as one loop of the backend: compiled once, however often it is done, and differentiable."""

import keras
from keras import ops

UNROLLED = 4  # steps: fewer are written out


def repeated(step, count, state):
    """step(step(... state)), `count` times.

    Args:
        step: function of a tensor, or of a tuple of tensors, that gives the same of the same shapes.
        count: a number known in advance.
        state: where it begins.
    """
    if count < UNROLLED:
        for _ in range(count):
            state = step(state)
        return state
    if keras.backend.backend() == "tensorflow":  # whose other loop XLA cannot differentiate
        loop = {"maximum_iterations": count}
        return ops.while_loop(lambda i, _: i < count, lambda i, z: (i + 1, step(z)), (0, state), **loop)[1]
    return ops.fori_loop(0, count, lambda _, z: step(z), state)
