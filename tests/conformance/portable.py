"""The same weights give the same numbers on every backend, before and after a step of Adam.

The TensorFlow run writes its numbers to a file; `test_backends.py` starts the other backends on this file, and they
compare theirs.
"""

import os

import catalogue
import keras
import numpy as np

REFERENCE = "KERAS_EQUIVARIANT_CONFORMANCE_REFERENCE"


def numbers(case, network, sample):
    """Outputs, the loss of a step of Adam, and outputs after it."""
    model, x = network(case), sample(case)
    before = catalogue.outputs(model, x)
    target = np.random.default_rng(2).normal(size=before.shape).astype("float32")
    model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=catalogue.JAX)
    loss = model.train_on_batch(x, target)
    after = {} if case.random else {"loss": np.asarray(loss), "after": catalogue.outputs(model, x)}
    return {"before": before, **after}


def write_reference(path, network, sample):
    """What the comparison needs of every case, in one .npz file."""
    found = {}
    for index, case in enumerate(catalogue.CATALOGUE):
        found.update({f"{index} {key}": value for key, value in numbers(case, network, sample).items()})
    np.savez(path, **found)


def test_same_numbers_as_tensorflow(case, network, sample):
    index = catalogue.CATALOGUE.index(case)
    with np.load(os.environ[REFERENCE]) as reference:
        for key, value in numbers(case, network, sample).items():
            np.testing.assert_allclose(value, reference[f"{index} {key}"], rtol=1e-4, atol=1e-4, err_msg=key)
