"""Masks that Keras attaches: what acts on each place hands them on, statistics leave out what they leave out."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_equivariant as ke
from keras_equivariant import layers as L

TYPE = "2x0 + 3x1"
PLACES = {
    "dense": lambda: L.SteerableDense(TYPE, "4x0 + 1x1", "SO2"),
    "dense_relu": lambda: L.SteerableDense(TYPE, "4x0", "SO2", activation="relu"),
    "norm": lambda: L.NormActivation(TYPE, "SO2"),
    "norm_pooling": lambda: L.NormPooling(TYPE, "SO2"),
    "tensor_product": lambda: L.TensorProductActivation(TYPE, "SO2"),
    "select": lambda: L.SelectFields(TYPE, [0, 2], "SO2"),
    "restrict": lambda: L.Restrict(TYPE, "C4", "SO2"),
    "fourier": lambda: L.FourierActivation("8x0", "SO2"),
    "dropout": lambda: L.FieldDropout(TYPE, 0.5, "SO2"),
    "layer_norm": lambda: L.SteerableLayerNormalization(TYPE, "SO2"),
    "batch_norm": lambda: L.SteerableBatchNormalization(TYPE, "SO2"),
    "scale": lambda: L.LayerScale(0.5),
    "pointwise": lambda: L.PointwiseActivation("2xregular", group="C4"),
    "concatenated": lambda: L.ConcatenatedReLU("2xregular", group="C4"),
    "field_pooling": lambda: L.FieldPooling("2xregular", group="C4"),
    "vector_field": lambda: L.VectorFieldActivation("2xregular", group="C4"),
    "gated": lambda: L.GatedActivation("4x0 + 2x1", "SO2"),
}


def masked_rows(samples=3, rows=5, channels=8):
    """Features, of which the last rows of each sample are zeros: of each as many as its number and one."""
    x = np.random.default_rng(0).normal(1.0, 1.0, size=(samples, rows, channels)).astype("float32")
    there = np.arange(rows)[None] < rows - 1 - np.arange(samples)[:, None]
    return np.where(there[..., None], x, 0).astype("float32"), there


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("nested", [False, True], ids=["plain", "nested"])
def test_what_acts_on_each_place_hands_a_mask_on_and_its_folded_model_too(name, nested):
    x, there = masked_rows()
    layer = PLACES[name]()
    inputs = keras.Input(x.shape[1:])
    features = keras.layers.Masking()(inputs)
    if nested:
        inner = keras.Input(x.shape[1:])
        means = keras.Model(inner, keras.layers.GlobalAveragePooling1D()(layer(inner)))(features)
    else:
        means = keras.layers.GlobalAveragePooling1D()(layer(features))
    model = keras.Model(inputs, means)
    expected = [ops.convert_to_numpy(layer(x[i : i + 1, :n]))[0].mean(0) for i, n in enumerate(there.sum(1))]
    np.testing.assert_allclose(model(x), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ke.fold(model)(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("reduction", ["mean", "max"])
@pytest.mark.parametrize("in_type, group", [("8x0", "SO2"), (TYPE, "SO2"), ("2xregular", "C4")])
def test_statistics_of_a_batch_leave_out_what_the_mask_leaves_out(in_type, group, reduction):
    x, there = masked_rows()
    options = {"in_type": in_type, "group": group, "reduction": reduction, "momentum": 0.0}
    ours, same, other = (L.SteerableBatchNormalization(**options) for _ in range(3))
    spoilt = np.where(there[..., None], x, np.nan)
    y = ops.convert_to_numpy(ours(spoilt, training=True, mask=there))
    inputs = keras.Input(x.shape[1:])
    keras.Model(inputs, same(keras.layers.Masking()(inputs)))(x, training=True)
    other(x, training=True)
    for one, two, wrong in zip(ours.weights, same.weights, other.weights, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6)
        assert "moving" not in one.name or np.abs(ops.convert_to_numpy(one - wrong)).max() > 1e-2
    if reduction == "mean":
        rows = L.SteerableBatchNormalization(**options)
        np.testing.assert_allclose(y[there], rows(x[there], training=True), rtol=1e-3, atol=1e-4)
    if in_type == "8x0" and reduction == "mean":
        stock = keras.layers.BatchNormalization(momentum=0.0)
        expected = ops.convert_to_numpy(stock(x, training=True, mask=there))
        np.testing.assert_allclose(y[there], expected[there], atol=1e-4)


def test_a_mask_of_nothing_and_one_of_another_shape():
    x, there = masked_rows()
    layer = L.SteerableBatchNormalization(TYPE, "SO2")
    assert np.isfinite(layer(x, training=True, mask=np.zeros_like(there))).all()
    with pytest.raises(ValueError, match="without their last axis. Received: mask of shape"):
        layer(x, training=True, mask=there[0])


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="synchronized is TensorFlow's")
def test_synchronized_statistics_take_no_mask():
    x, there = masked_rows()
    with pytest.raises(ValueError, match="Received: synchronized=True and a mask"):
        L.SteerableBatchNormalization(TYPE, "SO2", synchronized=True)(x, training=True, mask=there)


class Destroys(keras.layers.Layer):
    """The same as Dense, but for masks, which it does not hand on."""

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], 2), name="kernel")

    def call(self, inputs):
        return inputs @ self.kernel

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 2)

    def fold(self, input_shape):
        return [(keras.layers.Dense(2, use_bias=False), [self.kernel])]


def test_a_folded_model_is_compared_under_masks():
    inputs = keras.Input((5, 8))
    x = Destroys()(keras.layers.Masking()(inputs))
    with pytest.raises(ValueError, match="A folded model must answer as the model does"):
        ke.fold(keras.Model(inputs, keras.layers.GlobalAveragePooling1D()(x)))
    assert ke.fold(keras.Model(inputs, keras.layers.GlobalMaxPooling1D()(x)))
