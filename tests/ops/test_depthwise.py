"""Depthwise convolutions of planes and volumes are the dense ones with zeros between the channels."""

import itertools

import numpy as np
import pytest
from keras import ops

from keras_equivariant.ops.convolution import convolve
from keras_equivariant.ops.depthwise import depthwise_convolve

CASES = [
    *itertools.product(((5, 6), (5, 6, 4)), (1, 2, 3), ("valid", "same"), (1,), (2, 3)),
    *itertools.product(((7, 5), (7, 5, 6)), (1, 2), ("valid", "same"), (2,), (2,)),
    ((3, 3, 3), 1, "same", 3, 3),  # taps that lie outside wherever the window is
]


@pytest.mark.parametrize(("size", "stride", "padding", "rate", "taps"), CASES)
def test_depthwise_is_dense_with_zeros(size, stride, padding, rate, taps):
    draw, rank, fields, multiplier = np.random.default_rng(0), len(size), 3, 2
    x = draw.normal(size=(2, *size, fields)).astype("float32")
    kernel = draw.normal(size=(*(taps,) * rank, fields, multiplier)).astype("float32")
    dense = (kernel[..., None, :] * np.eye(fields, dtype="float32")[:, :, None]).reshape(*(taps,) * rank, fields, -1)
    strides, rates = (stride,) * rank, (rate,) * rank
    expected = convolve(x, ops.convert_to_tensor(dense), strides, padding, rates)
    found = depthwise_convolve(ops.convert_to_tensor(x), ops.convert_to_tensor(kernel), strides, padding, rates)
    np.testing.assert_allclose(ops.convert_to_numpy(found), ops.convert_to_numpy(expected), atol=2e-5)
