"""Grouped convolutions are the dense ones with zeros between the groups, however many of them are taken together."""

import numpy as np
import pytest
from keras import ops

import keras_equivariant as ke
from keras_equivariant.layers.core import rotated_conv
from keras_equivariant.ops import convolution


@pytest.mark.parametrize(("groups", "fields", "block"), [(4, 3, 128), (4, 3, 6), (6, 2, 1), (3, 5, 10)])
@pytest.mark.parametrize("size", [(5, 6), (4, 4, 3)])
def test_grouped_is_dense_with_zeros(monkeypatch, groups, fields, block, size):
    monkeypatch.setattr(convolution, "groups_pay", lambda: False)
    monkeypatch.setattr(convolution, "_BLOCK", block)
    draw, taps = np.random.default_rng(0), (3,) * len(size)
    x = draw.normal(size=(2, *size, groups * fields)).astype("float32")
    kernel = draw.normal(size=(*taps, fields, groups * 2)).astype("float32")
    inside, outside = np.arange(groups * fields) // fields, np.arange(groups * 2) // 2
    dense = np.tile(kernel, (*(1,) * len(size), groups, 1)) * (inside[:, None] == outside)
    arguments = (1,) * len(size), "same", (1,) * len(size)
    found = convolution.convolve(ops.convert_to_tensor(x), ops.convert_to_tensor(kernel), *arguments)
    expected = convolution.convolve(ops.convert_to_tensor(x), ops.convert_to_tensor(dense), *arguments)
    np.testing.assert_allclose(ops.convert_to_numpy(found), ops.convert_to_numpy(expected), atol=2e-5)


def test_a_gpu_takes_pointwise_layers_dense(monkeypatch):
    x = np.random.default_rng(0).normal(size=(1, 3, 3, 8, 128)).astype("float32")
    blocks = ke.layers.GroupConv2D(128, 1, "D4")
    y = blocks(x)
    monkeypatch.setattr(rotated_conv, "on_accelerator", lambda: True)
    dense = ke.layers.GroupConv2D(128, 1, "D4")
    dense.build(x.shape)
    dense.set_weights(blocks.get_weights())
    assert all(blocks._in_blocks) and not any(dense._in_blocks)
    np.testing.assert_allclose(ops.convert_to_numpy(dense(x)), ops.convert_to_numpy(y), atol=1e-4)
