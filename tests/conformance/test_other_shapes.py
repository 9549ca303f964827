"""A layer that is built answers other shapes as a fresh layer would, or says what it takes: never other numbers."""

import catalogue
import keras
import numpy as np
import pytest
from keras import ops

import keras_equivariant as ke


def others(shape):
    """Shapes beside one that a layer was built on: twice the channels or half, other elements, an axis less or more."""
    *rest, last = shape
    yield (*rest, 2 * last)
    yield (*rest, last + 1)
    if last > 1:
        yield (*rest, 1)
    if rest:
        *space, size = rest
        yield (*space, 2 * size, last)
        yield (*space, size - 1, last)
        yield (*rest, last, 1)
        yield shape[1:]


def test_other_shapes_are_refused_or_right(case, sample):
    if type(case) is not catalogue.Case:
        pytest.skip("features are parts of its array")
    loose = {"strict": False} if issubclass(case.layer, ke.EquivariantLayer) else {}
    layer = case.layer(**{**case.arguments, **loose})
    layer(sample(case))
    rng = np.random.default_rng(0)
    for shape in others(case.shape):
        x = rng.normal(size=(2, *shape)).astype("float32")
        try:
            y = layer(x)
        except ValueError as error:
            assert "Received" in str(error) or "is incompatible with the layer" in str(error), error
            continue
        fresh = type(layer).from_config(layer.get_config())
        expected = fresh(x)
        assert tuple(expected.shape) == tuple(y.shape)
        wanted = [tuple(weight.shape) for weight in fresh.weights]
        assert [tuple(weight.shape) for weight in layer.weights] == wanted
        fresh.set_weights(layer.get_weights())
        found, expected = (ops.convert_to_numpy(z) for z in (y, fresh(x)))
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
        assert tuple(layer.compute_output_shape(x.shape)) == tuple(y.shape)


def test_layer_scale_is_shared_by_equal_channels_only():
    layer = ke.layers.LayerScale()
    layer(keras.Input((6,)))
    with pytest.raises(ValueError, match="incompatible"):
        layer(keras.Input((1,)))
