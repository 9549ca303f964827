"""The same weights give the same numbers on every backend, before and after a step of Adam, and the same slopes.

The TensorFlow run writes its numbers to a file; `test_backends.py` starts the other backends on this file, and they
compare theirs.
"""

import os

import catalogue
import keras
import numpy as np

import keras_equivariant as ke
from keras_equivariant.ops.gradient import gradient

REFERENCE = "KERAS_EQUIVARIANT_CONFORMANCE_REFERENCE"


def numbers(case, network, sample):
    """Outputs, their slopes by the input, the loss of a step of Adam, and outputs after it."""
    model, x = network(case), sample(case)
    # By Adam, a gradient that vanishes but for rounding moves a weight as far as any other: hence epsilon.
    optimizer = keras.optimizers.Adam(0.01, epsilon=1e-3)
    model.compile(optimizer, "mse", jit_compile=catalogue.JAX, run_eagerly=not catalogue.JAX)
    before = catalogue.outputs(model, x)
    target = np.random.default_rng(2).normal(size=before.shape).astype("float32")
    loss = model.train_on_batch(x, target)
    after = {} if case.random else {"loss": np.asarray(loss), "after": catalogue.outputs(model, x)}
    if not (catalogue.JAX or case.random):  # JAX would compile each for long
        drawn = any("seed" in variable.path for variable in model.variables)  # by each backend in its own way
        modes = (False,) if drawn else (False, True)
        after |= {f"slopes, training={training}": slopes_by_input(model, x, training) for training in modes}
    return {"before": before, **after}


def slopes_by_input(model, x, training):
    """What reaches layers in front: on torch the features of a layer in the middle carry gradients."""

    def loss(x):
        y = model(x, training=training)
        weights = np.random.default_rng(3).normal(size=y.shape).astype("float32")
        return keras.ops.sum(y * keras.ops.convert_to_tensor(weights))

    return keras.ops.convert_to_numpy(gradient(loss, keras.ops.convert_to_tensor(x)))


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


def small_network():
    keras.utils.set_random_seed(0)
    image = keras.Input((5, 5, 1))
    x = ke.layers.LiftingConv2D(2, 3, group="C4")(image)
    x = keras.layers.Dropout(0.4)(keras.layers.BatchNormalization()(x))
    return keras.Model(image, keras.layers.Flatten()(ke.layers.GroupConv2D(2, 3, group="C4")(x)))


def wide_network():
    """Most of its features are in layers that treat each image alone."""
    keras.utils.set_random_seed(0)
    image = keras.Input((5, 5, 1))
    x = keras.layers.ReLU()(ke.layers.LiftingConv2D(16, 3, group="C4", padding="same")(image))
    x = keras.layers.BatchNormalization()(ke.layers.GroupConv2D(1, 3, group="C4")(x))
    return keras.Model(image, keras.layers.Dense(8)(keras.layers.Flatten()(x)))


def test_rematerialized_steps_are_the_same():
    models = small_network(), small_network()
    assert_same_steps(*models, ke.rematerialize(models[1], slices=1))  # the same masks, too


def test_steps_slice_by_slice_are_the_same():
    models = wide_network(), wide_network()
    trained = ke.rematerialize(models[1], batch_size=4, slices=4)
    assert max(getattr(layer, "slices", 1) for layer in trained.layers) > 1
    assert_same_steps(*models, trained)


def assert_same_steps(plain, twin, trained):
    x = np.random.default_rng(0).normal(size=(4, 5, 5, 1)).astype("float32")
    for model in (plain, trained):
        keras.utils.set_random_seed(1)  # torch draws the masks of unseeded dropout from one generator for all
        model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=catalogue.JAX)
        for _ in range(2):
            model.train_on_batch(x, np.ones((4, 8), "float32"))
    for one, other in zip(plain.trainable_variables, twin.trainable_variables, strict=True):
        mine, its = map(keras.ops.convert_to_numpy, (one, other))
        np.testing.assert_allclose(mine, its, rtol=1e-4, atol=1e-6, err_msg=one.path)
