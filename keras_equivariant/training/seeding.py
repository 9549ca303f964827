"""One seed for everything random that follows, without a framework that is not the backend."""

import random

import keras
import numpy as np


def set_seed(seed):
    """`keras.utils.set_random_seed`, which loads TensorFlow on every backend; with another one the same without it.

    Keras draws the seeds of initializers and of layers such as Dropout from Python's generator.

    Raises:
        ValueError: no whole number that a generator takes.
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise ValueError(f"`seed` must be a whole number from 0 to 2^32 - 1. Received: seed={seed!r}")
    if keras.backend.backend() == "tensorflow":
        keras.utils.set_random_seed(seed)
        return
    random.seed(seed)
    np.random.seed(seed)
    if keras.backend.backend() == "torch":
        import torch

        torch.manual_seed(seed)
