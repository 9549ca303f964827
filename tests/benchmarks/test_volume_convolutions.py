"""Group convolutions of volumes against stock Keras layers of equal expanded width; TensorFlow on CPU, ratios of pairs.

Run by hand, on a machine with nothing else to do: `pytest -m benchmark -s tests/benchmarks`.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from test_group_convolutions import gradients, saved_model, training_step
from timing import compare, report

import keras_equivariant as ke

pytestmark = pytest.mark.benchmark


def octahedral_network(fields=4, depth=3, size=16):
    x = inputs = keras.Input((size, size, size, 1))
    x = ke.layers.LiftingConv3D(fields, 3, "O", padding="same", use_bias=False)(x)
    x = ke.layers.BatchNormalization(activation="relu")(x)
    x = ke.layers.AveragePooling3D(2)(x)
    for _ in range(depth - 1):
        x = ke.layers.GroupConv3D(fields, 3, "O", padding="same", use_bias=False)(x)
        x = ke.layers.BatchNormalization(activation="relu")(x)
    x = layers.GlobalAveragePooling3D()(ke.layers.GroupPooling("max")(x))
    return keras.Model(inputs, layers.Dense(10)(x))


def plain_network(channels=96, depth=3, size=16, pool=False):
    x = inputs = keras.Input((size, size, size, 1))
    for i in range(depth):
        x = layers.Conv3D(channels, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.AveragePooling3D(2)(x) if i == 0 else x
    if pool:
        x = keras.ops.max(layers.Reshape((size // 2,) * 3 + (24, channels // 24))(x), axis=-2)
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling3D()(x)))


def test_training_step():
    rng = np.random.default_rng(0)
    volumes, labels = rng.random((8, 16, 16, 16, 1), "float32"), rng.integers(0, 10, 8)
    ours, plain = (training_step(m, volumes, labels) for m in (octahedral_network(), plain_network()))
    *times, ratio = compare(ours, plain, rounds=20)
    report("training step, O, 3 x 24 x 4, 16x16x16, batch 8", *times, ratio)
    assert ratio <= 1.15


def test_folded_saved_model_latency(tmp_path):
    volume = tf.constant(np.random.default_rng(0).random((1, 16, 16, 16, 1), "float32"))
    functions = []
    for name, model in {"octahedral": octahedral_network(), "plain": plain_network(pool=True)}.items():
        ke.export(model, tmp_path / name, ["saved_model"], verify=False)
        loaded, signature = saved_model(tmp_path / name)
        functions.append(lambda s=signature, keep=loaded: next(iter(s(volume).values())).numpy())
    *times, ratio = compare(*functions, rounds=60, warmup=10)
    report("folded SavedModel of volumes, batch 1", *times, ratio)
    assert ratio <= 1.05


@pytest.mark.parametrize("fields", [16, 64])
def test_pointwise_group_convolution(fields):
    x = tf.random.normal((4, 8, 8, 8, 24, fields))
    flat = tf.reshape(x, (4, 8, 8, 8, 24 * fields))
    ours, plain = ke.layers.GroupConv3D(fields, 1, "O", use_bias=False), layers.Conv3D(24 * fields, 1, use_bias=False)
    ours(x), plain(flat)
    *times, ratio = compare(tf.function(lambda: ours(x)), tf.function(lambda: plain(flat)))
    report(f"1x1x1 on O, {fields} fields", *times, ratio)
    assert ratio <= 1.1


@pytest.mark.parametrize("pooling", ["MaxPooling3D", "AveragePooling3D"])
def test_poolings(pooling):
    x = tf.random.normal((4, 16, 16, 16, 96))
    ours, plain = getattr(ke.layers, pooling)(2), getattr(layers, pooling)(2)
    *times, ratio = compare(tf.function(lambda: ours(x)), tf.function(lambda: plain(x)))
    report(f"{pooling} of 96 channels", *times, ratio)


def test_depthwise_convolutions():
    """Against the dense convolution of as many channels: Keras has no depthwise one of volumes."""
    x = tf.random.normal((2, 12, 12, 12, 24, 4))
    flat = tf.reshape(x, (2, 12, 12, 12, 96))
    ours, plain = ke.layers.GroupDepthwiseConv3D(3, "O", padding="same"), layers.Conv3D(96, 3, padding="same")
    *times, ratio = compare(gradients(ours, x), gradients(plain, flat), rounds=10)
    report("gradients, depthwise 3x3x3 on O, 4 fields, 12x12x12, batch 2", *times, ratio)
    assert ratio <= 1.0
