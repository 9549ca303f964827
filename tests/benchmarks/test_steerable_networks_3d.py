"""Blocks of the CATH network on 32x32x32 volumes against stock Conv3D of equal expanded width; ratios of pairs.

Run by hand, on a machine with nothing else to do: `pytest -n 0 -m benchmark -s tests/benchmarks`.
"""

import time

import keras
import numpy as np
import pytest
from keras import layers
from timing import compare, keep, report

import keras_equivariant as ke
from keras_equivariant.kernels import steerable

pytestmark = pytest.mark.benchmark
SIZE, BATCH, DEPTH = 32, 2, 2
OPTIONS = {"padding": "same", "use_bias": False}


def block(field_type):
    """Gated convolutions of 3 voxels between fields of the first stage."""
    gated = ke.layers.GatedActivation.in_type_for(field_type)
    x = inputs = keras.Input((SIZE, SIZE, SIZE, field_type.size))
    for _ in range(DEPTH):
        x = ke.layers.SteerableBatchNormalization(field_type, center=False, scale=False)(x)
        x = ke.layers.SteerableConv3D(field_type, gated, 3, **OPTIONS)(x)
        x = ke.layers.GatedActivation(gated, use_bias=True)(x)
    return keras.Model(inputs, x), gated.size


def plain(field_type, channels):
    """Stock layers of as many channels; the next convolution reads as many as the fields have."""
    x = inputs = keras.Input((SIZE, SIZE, SIZE, field_type.size))
    for _ in range(DEPTH):
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(layers.Conv3D(channels, 3, **OPTIONS)(x))[..., channels - field_type.size :]
    return keras.Model(inputs, x)


@pytest.mark.parametrize("fields", [2, 4])
def test_training_step(fields):
    field_type = ke.FieldType.parse(f"{fields}xirreps(3)", "SO3")
    x = np.random.default_rng(0).normal(size=(BATCH, SIZE, SIZE, SIZE, field_type.size)).astype("float32")
    ours, channels = block(field_type)
    steps = []
    for model in (ours, plain(field_type, channels)):
        model.compile("adam", "mse", jit_compile=False)
        steps.append(lambda model=model: model.train_on_batch(x, x))
    *times, ratio = compare(*steps, rounds=7, warmup=2)
    report(f"training step, {DEPTH} gated convolutions of {field_type}, {SIZE}^3, batch {BATCH}", *times, ratio)
    assert ratio <= 1.15


def test_cold_bases():
    """All kernels up to degree 3 of 7x7x7 voxels, in under a second."""
    types = ke.FieldType.parse("1xirreps(3)", "SO3"), ke.FieldType.parse("1xirreps(3)", "SO3")
    start = time.perf_counter()
    steerable.steerable_basis(*types, (7, 7, 7))
    seconds = time.perf_counter() - start
    print(f"\ncold basis of 7x7x7, degrees 0 to 3: {1e3 * seconds:.0f} ms")
    keep("cold basis of 7x7x7, degrees 0 to 3", {"seconds": seconds})
    assert seconds < 1
