import keras
import numpy as np
import pytest

import keras_equivariant as ke

tf = pytest.importorskip("tensorflow")


def run(layer, activation, x, weights):
    layer.build(x.shape)
    layer.set_weights(weights)
    x = tf.constant(x)
    direction = tf.constant(np.random.default_rng(1).normal(size=x.shape), x.dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = activation(layer(x, training=True))
        loss = tf.reduce_sum(y * direction)
    gradients = tape.gradient(loss, [x, *(w.value for w in layer.trainable_weights)])
    return [np.asarray(v) for v in (y, *gradients, *layer.non_trainable_weights)]


@pytest.mark.parametrize("activation", [None, "relu", "elu", "gelu"])
@pytest.mark.parametrize("shape", [(4, 5, 5, 8, 3), (4, 5, 5, 3), (16, 3)])
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_fused_is_stock_forward_and_backward(activation, shape, offset):
    x = np.random.default_rng(0).normal(size=shape) * 2 + offset
    weights = [np.array([0.5, 1.0, 2.0]), np.array([-1.0, 0.0, 1.0]), np.zeros(3), np.ones(3)]
    fused = ke.layers.BatchNormalization(activation=activation, dtype="float64")
    stock = keras.layers.BatchNormalization(dtype="float64")
    found = run(fused, lambda y: y, x, weights)
    expected = run(stock, keras.activations.get(activation), x, weights)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-8 * max(1, np.abs(b).max()))


def test_no_compiled_function_outside_training():
    model = keras.Sequential([keras.Input((5, 5, 8, 3)), ke.layers.BatchNormalization(activation="relu")])

    def operations(training):
        graph = (
            tf.function(lambda x: model(x, training=training)).get_concrete_function(tf.zeros((2, 5, 5, 8, 3))).graph
        )
        functions = graph.as_graph_def().library.function
        return any(f.attr["_XlaMustCompile"].b for f in functions)

    assert operations(training=True)
    assert not operations(training=False)


def test_frozen_layer_uses_moving_statistics():
    layer = ke.layers.BatchNormalization(activation="relu")
    layer.trainable = False
    x = np.full((2, 3, 3, 8, 1), 5.0, "float32")
    np.testing.assert_allclose(layer(x, training=True), x / np.sqrt(1 + 1e-3), rtol=1e-5)
