"""Mixed precision: the compute type comes out, the variables stay float32, and the numbers stay close."""

import keras
import numpy as np
import pytest
from catalogue import JAX, dtype_of, forward
from keras import ops

TOLERANCE = {"mixed_float16": 2e-2, "mixed_bfloat16": 8e-2}


@pytest.mark.parametrize("policy", TOLERANCE)
def test_mixed_precision(case, policy, network, sample, answer):
    reference = answer(case)
    model = network(case, dtype=policy)
    y = forward(model, sample(case))
    assert keras.backend.standardize_dtype(y.dtype) == policy.removeprefix("mixed_")
    assert all(keras.backend.standardize_dtype(w.dtype) == "float32" for w in model.weights)
    y = ops.convert_to_numpy(ops.cast(y, "float32"))
    wrong = np.abs(y - reference) > TOLERANCE[policy] * np.abs(reference).max()
    assert wrong.mean() < 0.03 if case.jumps else not wrong.any()


@pytest.mark.parametrize("policy", TOLERANCE)
def test_mixed_precision_trains(case, policy, network, sample):
    model = network(case, dtype=policy)
    x = sample(case)
    # Compiled by XLA in one precision; operation by operation in the other, which takes a fifth of the time.
    model.compile("sgd", "mse", run_eagerly=policy == "mixed_float16" and not JAX)
    model.optimizer.build(model.trainable_variables)  # else TensorFlow traces the step twice
    loss = model.train_on_batch(x, np.zeros((2, *model.output_shape[1:]), "float32"))
    assert np.isfinite(float(np.asarray(loss)))


def test_float64_computes_on_float32(case, sample):
    inputs = keras.Input(case.shape)
    model = keras.Model(inputs, case.connect(case.make(dtype="float64"), inputs))
    assert dtype_of(model, sample(case)) == "float64"
    if keras.backend.backend() == "tensorflow":  # of two float64 Keras makes float32 on the others, in symbols
        assert model.output.dtype == "float64"
