"""Planes of typed features, norms that stay finite, and the compiled passes of training."""

import numpy as np
import pytest
from keras import ops

from keras_equivariant.ops import activations

LAYOUT = ((1, 3), (2, 2), (4, 1))


def test_planes_are_component_major():
    x = np.arange(22.0).reshape(2, 11)
    parts = [[ops.convert_to_numpy(p) for p in block] for block in activations.planes(ops.convert_to_tensor(x), LAYOUT)]
    assert [len(block) for block in parts] == [1, 2, 4]
    np.testing.assert_array_equal(parts[1][1], x[:, 5:7])
    np.testing.assert_array_equal(np.concatenate(sum(parts, []), axis=-1), x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_norm_keeps_its_precision(dtype):
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=100).astype(dtype) for _ in range(3)]
    found = ops.convert_to_numpy(activations.norm([ops.convert_to_tensor(p) for p in parts]))
    assert found.dtype == dtype
    expected = np.sqrt(sum(p.astype("float64") ** 2 for p in parts))
    np.testing.assert_allclose(found, expected, rtol={"float32": 1e-6, "float64": 1e-15}[dtype])


def test_norm_of_half_precision_neither_overflows_nor_vanishes():
    large = activations.norm([ops.convert_to_tensor(np.full(1, 60000.0, "float16"))])
    assert float(ops.convert_to_numpy(large)[0]) == pytest.approx(60000, rel=1e-3)
    zero = activations.norm([ops.convert_to_tensor(np.zeros(1, "float16"))])
    assert float(ops.convert_to_numpy(zero)[0]) == pytest.approx(activations.LEAST_SQUARE**0.5)


def test_scale_multiplies_each_field_by_its_number():
    x, factors = np.ones((2, 11)), np.arange(12.0).reshape(2, 6)
    y = ops.convert_to_numpy(activations.scale(ops.convert_to_tensor(x), ops.convert_to_tensor(factors), LAYOUT))
    np.testing.assert_array_equal(y[0], [0, 1, 2, 3, 4, 3, 4, 5, 5, 5, 5])


def test_products_share_no_order():
    x = ops.convert_to_tensor(np.array([[2.0, 3.0, 5.0]]))
    products = (((1.0, (0, 0), (1, 0)),), ((0.5, (1, 0), (1, 0)), (-1.0, (0, 0), (1, 1))))
    for training in (False, True):
        y = activations.multiply(x, ((1, 1), (2, 1)), products, training)
        np.testing.assert_allclose(ops.convert_to_numpy(y), [[6.0, -5.5]])
