"""Kernels that are orthogonal at their center: norms stay through deep networks, and fields are not mixed wrongly."""

import keras
import numpy as np
import pytest

import keras_equivariant as ke

L = ke.layers
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda **words: L.GroupConv2D(4, 3, "D4", padding="same", **words), (7, 7, 8, 4)),
        (lambda **words: L.GroupConv2D(4, 3, "C4", padding="same", groups=2, **words), (7, 7, 4, 4)),
        (lambda **words: L.GroupConv3D(2, 3, "T", padding="same", **words), (4, 4, 4, 12, 2)),
        (lambda **words: L.SteerableConv2D("2x0 + 3x1", "2x0 + 3x1", 3, "C4", padding="same", **words), (7, 7, 8)),
        (lambda **words: L.SteerableDense("4x0 + 3x1", "4x0 + 3x1", "SO2", **words), (10,)),
    ],
)
def test_norms_stay(layer, shape):
    x = inputs = keras.Input(shape, dtype="float64")
    for _ in range(6):
        x = layer(dtype="float64")(x)
    model = keras.Model(inputs, x)
    names = ke.delta_orthogonal(model, seed=0)
    assert names == [one.name for one in model.layers[1:]]
    data = RNG.normal(size=(2, *shape))
    found = keras.ops.convert_to_numpy(model(data))
    assert abs(np.linalg.norm(found) / np.linalg.norm(data) - 1) < 1e-5 and np.abs(found - data).max() > 0.1
    kernel = keras.ops.convert_to_numpy(model.layers[1].expanded_kernel())
    center = kernel[tuple(size // 2 for size in kernel.shape[:-2])]
    np.testing.assert_allclose(center @ center.T, np.eye(len(center)), atol=1e-6)
    assert np.linalg.norm(kernel) == pytest.approx(np.linalg.norm(center))


def test_on_rings_and_between_types():
    """Of fields that no kernel joins nothing comes; rings keep the norm of the kernel."""
    layer = L.SteerableConv2D("2x0 + 2x1", "3x0 + 1x2", 5, "SO2", use_bias=False)
    layer.build((None, 9, 9, 6))
    ke.delta_orthogonal(layer, gain=2.0, seed=1)
    kernel = keras.ops.convert_to_numpy(layer.expanded_kernel())
    assert np.linalg.norm(kernel) == pytest.approx(2 * np.sqrt(2), rel=1e-4)  # two scalars reach two of three
    assert np.abs(kernel[2, 2, :2, 3:]).max() < 1e-6
    first = kernel.copy()
    ke.delta_orthogonal(layer, gain=2.0, seed=1)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer.expanded_kernel()), first)


def test_errors():
    layer = L.LiftingConv2D(2, 4, "C4")
    with pytest.raises(ValueError, match="must be built"):
        ke.delta_orthogonal(layer)
    layer.build((None, 8, 8, 1))
    with pytest.raises(ValueError, match="must have a center"):
        ke.delta_orthogonal(layer)
    with pytest.raises(ValueError, match="lifting, group or steerable"):
        ke.delta_orthogonal(keras.layers.Dense(2))
