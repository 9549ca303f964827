"""Networks on field types against stock Keras layers of equal expanded width; TensorFlow on CPU, ratios of pairs.

Run by hand, on a machine with nothing else to do: `pytest -n 0 -m benchmark -s tests/benchmarks`.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from timing import compare, report

import keras_equivariant as ke

pytestmark = pytest.mark.benchmark
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
DEPTH, SIZE = 5, 28


def gated_network():
    """Five layers of 16 fields of each frequency 0, 1 and 2 on SO(2): 80 channels, and 32 more as gates."""
    out_type = ke.FieldType.parse("16xirreps(2)", "SO2")
    gated = ke.layers.GatedActivation.in_type_for(out_type)
    x, field_type = image(), ke.FieldType.scalars(1, "SO2")
    inputs = x
    for _ in range(DEPTH):
        x = ke.layers.SteerableConv2D(field_type, gated, 5, padding="same", use_bias=False)(x)
        x = ke.layers.GatedActivation(gated)(ke.layers.SteerableBatchNormalization(gated)(x))
        field_type = out_type
    x = ke.layers.NormPooling(out_type)(x)
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x))), gated.size, out_type.size


def regular_network():
    """Five layers of 10 regular fields of C8: 80 channels."""
    out_type = ke.FieldType.parse("10xregular", "C8")
    x, field_type = image(), ke.FieldType.scalars(1, "C8")
    inputs = x
    for _ in range(DEPTH):
        x = ke.layers.SteerableConv2D(field_type, out_type, 5, padding="same", use_bias=False)(x)
        x = ke.layers.SteerableBatchNormalization(out_type, activation="relu")(x)
        field_type = out_type
    x = ke.layers.FieldPooling(out_type)(x)
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x))), out_type.size, out_type.size


def plain_network(channels, passed_on, pool=1):
    """Stock layers of so many channels; the next convolution reads the last `passed_on` of them, as behind gates.

    In the end the maximum of `pool` equal parts of the channels is taken.
    """
    x = inputs = image()
    for _ in range(DEPTH):
        x = layers.Conv2D(channels, 5, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))[..., channels - passed_on :]
    if pool > 1:
        x = layers.Maximum()([x[..., i * x.shape[-1] // pool : (i + 1) * x.shape[-1] // pool] for i in range(pool)])
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def image():
    return keras.Input((SIZE, SIZE, 1))


def training_step(model, images, labels):
    model.compile("adam", LOSS, jit_compile=False)
    return lambda: model.train_on_batch(images, labels)


@pytest.mark.parametrize("network", [gated_network, regular_network])
def test_training_step(network):
    rng = np.random.default_rng(0)
    images, labels = rng.random((64, SIZE, SIZE, 1), "float32"), rng.integers(0, 10, 64)
    model, *widths = network()
    *times, ratio = compare(*(training_step(m, images, labels) for m in (model, plain_network(*widths))), rounds=15)
    report(f"training step, {network.__name__}, 5 layers of 80 channels, 5x5, 28x28, batch 64", *times, ratio)
    assert ratio <= 1.1


@pytest.mark.parametrize("batch", [1, 64])
def test_folded_regular_latency(tmp_path, batch):
    x = tf.constant(np.random.default_rng(0).random((batch, SIZE, SIZE, 1), "float32"))
    model, *widths = regular_network()
    functions = []
    for name, network in {"typed": model, "plain": plain_network(*widths, pool=8)}.items():
        ke.export(network, tmp_path / name, ["saved_model"], verify=False)
        loaded = tf.saved_model.load(str(next((tmp_path / name).rglob("saved_model.pb")).parent))
        run = loaded.signatures["serving_default"]
        functions.append(lambda run=run, keep=loaded: next(iter(run(x).values())).numpy())
    *times, ratio = compare(*functions, rounds=150 if batch == 1 else 30, warmup=10)
    report(f"folded SavedModel of regular_network, batch {batch}", *times, ratio)
    assert ratio <= 1.02
