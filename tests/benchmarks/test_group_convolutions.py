"""Group convolutions against stock Keras layers of equal expanded width; TensorFlow on CPU, ratios of pairs.

Run by hand, on a machine with nothing else to do: `pytest -m benchmark -s tests/benchmarks`.
"""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from timing import compare, keep, report

import keras_equivariant as ke

pytestmark = pytest.mark.benchmark
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def p4m_network(fields=10, depth=6):
    x = inputs = keras.Input((28, 28, 1))
    x = ke.layers.LiftingConv2D(fields, 3, "D4", padding="same", use_bias=False)(x)
    x = ke.layers.BatchNormalization(activation="relu")(x)
    for _ in range(depth - 1):
        x = ke.layers.GroupConv2D(fields, 3, "D4", padding="same", use_bias=False)(x)
        x = ke.layers.BatchNormalization(activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(ke.layers.GroupPooling("max")(x))
    return keras.Model(inputs, layers.Dense(10)(x))


def plain_network(channels=80, depth=6, pool=False):
    x = inputs = keras.Input((28, 28, 1))
    for _ in range(depth):
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    if pool:
        x = keras.ops.max(layers.Reshape((28, 28, 8, channels // 8))(x), axis=-2)
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def training_step(model, images, labels):
    model.compile("adam", LOSS, jit_compile=False)
    return lambda: model.train_on_batch(images, labels)


def test_training_step():
    rng = np.random.default_rng(0)
    images, labels = rng.random((64, 28, 28, 1), "float32"), rng.integers(0, 10, 64)
    ours, plain = (training_step(m, images, labels) for m in (p4m_network(), plain_network()))
    *times, ratio = compare(ours, plain)
    report("training step, p4m 6 x 8 x 10, 28x28, batch 64", *times, ratio)
    assert ratio <= 1.0


def saved_model(folder):
    loaded = tf.saved_model.load(str(next(folder.rglob("saved_model.pb")).parent))
    return loaded, loaded.signatures["serving_default"]


@pytest.mark.parametrize("batch", [1, 64])
def test_folded_saved_model_latency(tmp_path, batch):
    image = tf.constant(np.random.default_rng(0).random((batch, 28, 28, 1), "float32"))
    functions = []
    for name, model in {"p4m": p4m_network(), "plain": plain_network(pool=True)}.items():
        ke.export(model, tmp_path / name, ["saved_model"], verify=False)
        loaded, signature = saved_model(tmp_path / name)
        functions.append(lambda s=signature, keep=loaded: next(iter(s(image).values())).numpy())
    *times, ratio = compare(*functions, rounds=200 if batch == 1 else 40, warmup=20)
    report(f"folded SavedModel, batch {batch}", *times, ratio)
    assert ratio <= 1.02


def test_tflite_latency_and_operations(tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    image = np.random.default_rng(0).random((1, 28, 28, 1), "float32")
    functions, operations = [], []
    for name, model in {"p4m": p4m_network(), "plain": plain_network(pool=True)}.items():
        outcome = ke.export(model, tmp_path / name, ["tflite"], verify=True)
        operations.append(outcome.artifacts[0].operations)
        interpreter = Interpreter(str(outcome.path("tflite")), num_threads=1)
        run = interpreter.get_signature_runner()
        (argument,) = run.get_input_details()
        functions.append(lambda run=run, argument=argument, keep=interpreter: run(**{argument: image}))
    *times, ratio = compare(*functions, rounds=200, warmup=20)
    report("TFLite, one thread, batch 1", *times, ratio)
    assert operations[0] == operations[1]
    assert ratio <= 1.02


@pytest.mark.parametrize("fields", [32, 64, 128])
def test_pointwise_group_convolution(fields):
    x = tf.random.normal((4, 32, 32, 8, fields))
    flat = tf.reshape(x, (4, 32, 32, 8 * fields))
    ours, plain = ke.layers.GroupConv2D(fields, 1, "D4", use_bias=False), layers.Conv2D(8 * fields, 1, use_bias=False)
    ours(x), plain(flat)
    ours_function, plain_function = tf.function(lambda: ours(x)), tf.function(lambda: plain(flat))
    *times, ratio = compare(ours_function, plain_function)
    report(f"1x1 on D4, {fields} fields", *times, ratio)
    assert ratio <= (1 / 1.8 if fields == 128 else 1.1)


@pytest.mark.parametrize("group, fields", [("D4", 24), ("D4", 32), ("D4", 64), ("D4", 128), ("O", 24), ("O", 32)])
def test_pointwise_training_step(group, fields):
    """All gradients of one layer; narrow ones are trained as one dense product."""
    group = ke.groups.get(group)
    rank = group.dimension
    x = tf.random.normal((8, *((16, 16) if rank == 2 else (8, 8, 8)), group.order, fields))
    flat = tf.reshape(x, (*x.shape[:-2], group.order * fields))
    ours = {2: ke.layers.GroupConv2D, 3: ke.layers.GroupConv3D}[rank](fields, 1, group, use_bias=False)
    plain = {2: layers.Conv2D, 3: layers.Conv3D}[rank](group.order * fields, 1, use_bias=False)
    *times, ratio = compare(gradients(ours, x), gradients(plain, flat), rounds=15)
    report(f"training step of 1x1 on {group.name}, {fields} fields", *times, ratio)
    assert ratio <= 1.1


@pytest.mark.parametrize("fields", [32, 128])
def test_pointwise_training_step_in_bfloat16(fields):
    """Dense: a CPU that multiplies matrices of bfloat16 fast has no additions of it."""
    x = tf.cast(tf.random.normal((8, 16, 16, 8, fields)), "bfloat16")
    ours = ke.layers.GroupConv2D(fields, 1, "D4", use_bias=False, dtype="mixed_bfloat16")
    plain = layers.Conv2D(8 * fields, 1, use_bias=False, dtype="mixed_bfloat16")
    *times, ratio = compare(gradients(ours, x), gradients(plain, tf.reshape(x, (*x.shape[:-2], 8 * fields))), rounds=15)
    report(f"training step of 1x1 on D4 in bfloat16, {fields} fields", *times, ratio)
    assert ratio <= 1.25


def gradients(layer, x):
    """A function that computes all gradients of a layer."""
    layer(x)

    @tf.function
    def compute():
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, training=True) ** 2)
        return tape.gradient(loss, [x, *layer.trainable_variables])

    return compute


def test_depthwise_convolutions():
    x = tf.random.normal((16, 16, 16, 8, 16))
    flat = tf.reshape(x, (16, 16, 16, 128))
    ours, plain = ke.layers.GroupDepthwiseConv2D(7, "D4", padding="same"), layers.DepthwiseConv2D(7, padding="same")
    *times, ratio = compare(gradients(ours, x), gradients(plain, flat), rounds=15)
    report("gradients, depthwise 7x7 on D4, 16 fields, 16x16, batch 16", *times, ratio)
    assert ratio <= 1.1


def test_field_groups():
    x = tf.random.normal((4, 8, 8, 8, 64))
    flat = tf.reshape(x, (4, 8, 8, 512))
    ours = ke.layers.GroupConv2D(64, 3, "D4", groups=64, padding="same")
    plain = layers.Conv2D(512, 3, padding="same")
    *times, ratio = compare(gradients(ours, x), gradients(plain, flat), rounds=15)
    report("gradients, 3x3 on D4, each of 64 fields by itself, 8x8, batch 4, against all of them dense", *times, ratio)
    assert ratio <= 0.6


def test_build_from_spec_is_quick():
    code = (
        "import time, keras, keras_equivariant as ke; start = time.perf_counter(); "
        "ke.build_from_spec('p4m_resnet'); print(time.perf_counter() - start)"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    print(f"\nbuild_from_spec('p4m_resnet') in a fresh process: {float(output):.2f} s")
    keep("build_from_spec('p4m_resnet') in a fresh process", {"seconds": float(output)})
    assert float(output) < 3
