"""Normalizations of field types: gradients against the stock layer, what they fold to, several invariants."""

import types

import keras
import numpy as np
import pytest
from keras import ops

import keras_equivariant as ke
from keras_equivariant.equivariance import twin
from keras_equivariant.layers import (
    SteerableBatchNormalization,
    SteerableConv2D,
    SteerableGroupNormalization,
    SteerableInstanceNormalization,
    SteerableLayerNormalization,
)
from keras_equivariant.layers.core.steerable_weights import bias_channels, bias_size, expand_bias
from keras_equivariant.ops.fields import FieldMeans

pytestmark = pytest.mark.skipif(not twin.has_float64(), reason="float64 is not to be had on this device")
needs_tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="takes gradients by a tape")


@needs_tensorflow
@pytest.mark.parametrize("activation", ["linear", "relu", "elu"])
def test_regular_fields_have_the_gradients_of_the_stock_layer(activation):
    """Of the input, gamma and beta, while training; elu's derivative is left to the backend. So are the statistics."""
    import tensorflow as tf

    ours = SteerableBatchNormalization(
        "4xregular", "D4", epsilon=1e-2, momentum=0.9, activation=activation, dtype="float64"
    )
    stock = keras.layers.BatchNormalization(epsilon=1e-2, momentum=0.9, dtype="float64")
    rng = np.random.default_rng(0)
    x = rng.normal(2.0, 3.0, size=(3, 5, 6, 8, 4))
    upstream = rng.normal(size=x.shape)
    flat = (3, 5, 6, 32)
    ours.build(flat)
    stock.build(x.shape)
    weights = [rng.uniform(0.5, 2.0, size=4) for _ in range(4)]
    results = []
    for layer, shape in ((ours, flat), (stock, x.shape)):
        layer.set_weights(weights)
        given = tf.constant(x.reshape(shape))
        with tf.GradientTape() as tape:
            tape.watch(given)
            y = layer(given, training=True)
            y = y if layer is ours else keras.activations.get(activation)(y)
        gradients = tape.gradient(
            y, [given, layer.gamma.value, layer.beta.value], output_gradients=upstream.reshape(shape)
        )
        results.append([y, *gradients, *layer.get_weights()])
    for own, expected in zip(*results, strict=True):
        expected = np.asarray(expected)
        np.testing.assert_allclose(np.asarray(own).reshape(expected.shape), expected, rtol=1e-9, atol=1e-9)
    assert np.abs(weights[2] - np.asarray(results[0][-2])).max() > 1e-2  # the moving mean did move


@pytest.mark.parametrize(("group", "text"), [("SO2", "3x0 + 2x1"), ("D4", "2xregular + 1xinduced(C2,0) + 1x0-")])
@pytest.mark.parametrize("options", [{}, {"center": False}, {"scale": False}])
def test_folds_to_one_stock_normalization_that_merges(group, text, options):
    field_type = ke.FieldType.parse(text, group)
    layer = SteerableBatchNormalization(field_type, **options)
    layer.build((None, 9, 9, field_type.size))
    ((stock, _),) = layer.fold((None, 9, 9, field_type.size))
    assert type(stock) is keras.layers.BatchNormalization

    scalar = "2x0" if group == "SO2" else "2x0+"
    inputs = keras.Input((9, 9, 2))
    model = keras.Model(inputs, layer(SteerableConv2D(scalar, text, 5, group, padding="same")(inputs)))
    rng = np.random.default_rng(0)
    for part in model.layers:
        part.set_weights([rng.uniform(0.3, 1.0, size=w.shape) for w in part.weights])
    folded = ke.fold(model)
    kinds = [type(part).__name__ for part in folded.layers]
    assert kinds == ["InputLayer", "Conv2D"]
    x = rng.normal(size=(2, 9, 9, 2)).astype("float32")
    expected = ops.convert_to_numpy(model(x))
    np.testing.assert_allclose(ops.convert_to_numpy(folded(x)), expected, atol=1e-5 * np.abs(expected).max())


def several_invariants(multiplicity):
    """A block whose fields have two orthogonal vectors that nothing moves, of unequal length, beside one that moves."""
    vectors = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 2.0, -1.0]])
    dim, start = 4, 3
    return types.SimpleNamespace(
        dim=dim,
        multiplicity=multiplicity,
        invariants=vectors,
        start=start,
        stop=start + dim * multiplicity,
    )


def mixed_type(multiplicity=6):
    scalars = types.SimpleNamespace(dim=1, multiplicity=3, invariants=np.ones((1, 1)), start=0, stop=3)
    return types.SimpleNamespace(blocks=(scalars, several_invariants(multiplicity)), size=3 + 4 * multiplicity)


@pytest.mark.parametrize("groups", [None, 1, 3])
def test_projection_on_several_invariants(groups):
    """Against the projection matrix of one field, averaged over the fields of each group."""
    field_type = mixed_type()
    means = FieldMeans(field_type.blocks, groups)
    x = np.random.default_rng(0).normal(size=(5, field_type.size))
    y = ops.convert_to_numpy(means.project(ops.convert_to_tensor(x, dtype="float64")))
    for block in field_type.blocks:
        count = groups or block.multiplicity
        projection = sum(np.outer(v, v) / (v @ v) for v in block.invariants)
        fields = x[:, block.start : block.stop].reshape(5, block.dim, count, -1)
        expected = np.einsum("ij,bjgm->big", projection, fields) / fields.shape[-1]
        found = y[:, block.start : block.stop].reshape(fields.shape)
        np.testing.assert_allclose(found, np.broadcast_to(expected[..., None], fields.shape), rtol=1e-12, atol=1e-12)
    again = ops.convert_to_numpy(means.project(ops.convert_to_tensor(y, dtype="float64")))
    np.testing.assert_allclose(again, y, rtol=1e-12, atol=1e-12)


def test_coefficients_of_a_mean_are_read_back():
    field_type = mixed_type()
    values = np.random.default_rng(0).normal(size=bias_size(field_type))
    channels, weights = bias_channels(field_type)
    spread = ops.convert_to_numpy(expand_bias(ops.convert_to_tensor(values, dtype="float64"), field_type))
    np.testing.assert_allclose(np.sum(spread[channels] * weights, axis=0), values, rtol=1e-12)


@pytest.mark.parametrize(
    ("layer", "shared"),
    [
        (lambda t: SteerableLayerNormalization(t, epsilon=1e-9, dtype="float64"), (2, 3)),
        (lambda t: SteerableInstanceNormalization(t, epsilon=1e-9, dtype="float64"), (1, 2)),
        (lambda t: SteerableGroupNormalization(t, groups=1, epsilon=1e-9, dtype="float64"), (1, 2, 3)),
    ],
    ids=["layer", "instance", "group"],
)
def test_mean_square_is_one_over_what_shares_statistics(layer, shared):
    """Axes (batch, pixels, components, fields): components and the layer's own axes are averaged together."""
    x = np.random.default_rng(0).normal(0.7, 2.0, size=(3, 20, 8))
    y = ops.convert_to_numpy(layer(ke.FieldType.parse("4x1", "SO2"))(ops.convert_to_tensor(x, dtype="float64")))
    squares = np.mean(y.reshape(3, 20, 2, 4) ** 2, axis=shared)
    np.testing.assert_allclose(squares, 1.0, rtol=1e-6)


def test_no_bias_and_no_mean_where_everything_moves():
    layer = SteerableBatchNormalization("3x1", "SO2")
    layer.build((None, 6))
    assert layer.beta is None
    assert layer.moving_mean is None
    assert layer.count_params() == 3 + 3  # gamma, moving variance


@pytest.mark.tensorflow
def test_synchronized_statistics_of_one_device_are_its_own():
    x = np.random.default_rng(0).normal(size=(4, 5, 5, 12)).astype("float32") + 0.5
    results = []
    for synchronized in (False, True):
        layer = SteerableBatchNormalization("4x0 + 4x1", "SO2", momentum=0.5, synchronized=synchronized)
        results.append([layer(x, training=True), *layer.non_trainable_weights])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_synchronized_is_for_tensorflow(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="Received: synchronized=True on jax. Leave it out"):
        SteerableBatchNormalization("1x0", "SO2", synchronized=True)


def test_the_maximum_over_space_is_that_of_se3cnn():
    """Its SE3BatchNorm(reduce="max") sums over the components, where we take their mean: vectors sqrt(dim) shorter."""
    text, shape = "2x0 + 3x1 + 1x2", (4, 3, 2, 5)
    kind = ke.FieldType.parse(text, "SO3")
    x = np.random.default_rng(0).normal(0.4, 2.0, size=(*shape, kind.size))
    options = {"group": "SO3", "epsilon": 1e-12, "dtype": "float64"}
    layer, mean = (SteerableBatchNormalization(text, momentum=0.9, reduction=r, **options) for r in ("max", "mean"))
    y, other = (ops.convert_to_numpy(one(ops.convert_to_tensor(x), training=True)) for one in (layer, mean))
    variance = []
    for block in kind.blocks:
        fields = x[..., block.start : block.stop].reshape(*shape, block.dim, -1)
        fields = fields - (fields.mean(axis=(0, 1, 2, 3)) if block.dim == 1 else 0.0)
        norm = np.sum(fields**2, axis=-2).max(axis=(1, 2, 3)).mean(axis=0)
        expected = fields / np.sqrt(norm) * np.sqrt(block.dim)
        found = y[..., block.start : block.stop].reshape(expected.shape)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
        assert np.abs(found - other[..., block.start : block.stop].reshape(expected.shape)).max() > 0.1
        variance.append(norm / block.dim)
    moving = ops.convert_to_numpy(layer.moving_variance)
    np.testing.assert_allclose(moving, 0.9 + 0.1 * np.concatenate(variance), rtol=1e-6)
    with pytest.raises(ValueError, match='must be "mean" or "max"'):
        SteerableBatchNormalization(text, "SO3", reduction="maximum")


@needs_tensorflow
def test_maxima_of_whole_data_are_averages_of_batches():
    image = keras.Input((5, 5, 4))
    layer = SteerableBatchNormalization("2x0 + 1x1", "SO2", reduction="max", dtype="float64")
    x = np.random.default_rng(1).normal(2.0, 1.0, size=(12, 5, 5, 4))
    ke.recompute_statistics(keras.Model(image, layer(image)), x, batch_size=4)
    pixels = x.reshape(3, 4, 25, 4)
    rest = pixels - np.concatenate([pixels.mean(axis=(1, 2))[..., :2], np.zeros((3, 2))], axis=-1)[:, None, None]
    squares = np.stack([*(rest[..., :2] ** 2).transpose(3, 0, 1, 2), np.mean(rest[..., 2:] ** 2, axis=-1)])
    np.testing.assert_allclose(layer.moving_variance, squares.max(axis=-1).mean(axis=(1, 2)), rtol=1e-6)
    synchronized = SteerableBatchNormalization("2x0 + 1x1", "SO2", reduction="max", synchronized=True, dtype="float64")
    plain = SteerableBatchNormalization("2x0 + 1x1", "SO2", reduction="max", dtype="float64")
    np.testing.assert_allclose(synchronized(x, training=True), plain(x, training=True), rtol=1e-9)
