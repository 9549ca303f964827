"""What layers add to the loss: `fit` sums it with the loss of the model, whatever the layers' precision."""

import keras
import numpy as np
import pytest

from keras_equivariant import layers as L
from keras_equivariant.equivariance import twin

needs_float64 = pytest.mark.skipif(not twin.has_float64(), reason="float64 is not to be had on this device")
LAYERS = {
    "penalty": lambda dtype: L.Relaxed(L.LiftingConv2D(2, 3, "C4", dtype=dtype), penalty=0.1),
    "weights": lambda dtype: L.LiftingConv2D(2, 3, "C4", dtype=dtype, kernel_regularizer="l2"),
    "activity": lambda dtype: L.SteerableConv2D("1x0", "1x1", 3, "SO2", dtype=dtype, activity_regularizer="l2"),
    "normalization": lambda dtype: L.BatchNormalization(dtype=dtype, gamma_regularizer="l2", beta_regularizer="l1"),
    "activity of a normalization": lambda dtype: L.BatchNormalization(dtype=dtype, activity_regularizer="l2"),
    "normalization of magnitudes": lambda dtype: keras.Sequential(
        [L.HarmonicConv2D(1, 3, dtype=dtype), L.HarmonicBatchNormalization(dtype=dtype, gamma_regularizer="l2")]
    ),
    "basis": lambda dtype: L.LiftingConv2D(2, 3, "C8", dtype=dtype, basis="learned", trainable_basis=True),
}


@needs_float64
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(("floatx", "dtype"), [("float32", "float64"), ("float64", "float32")])
def test_added_losses_train_in_any_precision(name, floatx, dtype):
    before = keras.config.floatx()
    keras.config.set_floatx(floatx)
    try:
        image = keras.Input((5, 5, 1), dtype=dtype)
        layer = LAYERS[name](dtype)
        model = keras.Model(image, keras.layers.Flatten(dtype=dtype)(layer(image)))
        model.compile("sgd", "mse", jit_compile=False)
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(4, 5, 5, 1)), np.zeros((4, *model.output_shape[1:]))
        if name == "penalty":
            assert layer.dtype == dtype
            layer.residual.assign(np.ones(layer.residual.shape))
        found = float(model.train_on_batch(x, y))
        layer_only = [keras.backend.standardize_dtype(loss.dtype) for loss in model.losses]
        assert np.isfinite(found) and set(layer_only) <= {floatx}
        if name == "penalty":
            assert found > 0.1 * 9 * 8  # |R|^2 = 3 x 3 pixels and 2 fields of 4 elements
    finally:
        keras.config.set_floatx(before)
