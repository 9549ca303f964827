import itertools

import numpy as np
import pytest
from keras import ops

from keras_equivariant.ops import convolution, expansion, pooling, windows
from keras_equivariant.ops.padding import pad
from keras_equivariant.ops.windows import Sliding, Spreading, blur_size, is_symmetric


def mirrors(window, size):
    """Whether a map of one axis commutes with mirroring it, on random numbers."""
    x = np.random.default_rng(0).normal(size=(1, size, size, 1))
    return np.allclose(window(x[:, ::-1]), np.asarray(window(x))[:, ::-1], atol=1e-9)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_rule_of_symmetric_windows_against_brute_force(padding):
    checked = 0
    for n, k, s, d in itertools.product(range(5, 11), (1, 2, 3, 4), (1, 2, 3), (1, 2)):
        if (k - 1) * d + 1 > n:
            continue
        half = np.random.default_rng(k).normal(size=k)
        kernel = np.ones((k, k)) * (half + half[::-1])[:, None]

        def window(x, kernel=kernel, s=s, d=d):
            return convolution.convolve(
                ops.convert_to_tensor(x), ops.convert_to_tensor(kernel[..., None, None]), (s, s), padding, (d, d)
            )

        assert is_symmetric(Sliding(k, s, d, padding), n) == mirrors(window, n), (n, k, s, d)
        checked += 1
    assert checked > 100


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("output_padding", [None, 0, 1])
def test_rule_of_symmetric_transposed_windows_against_brute_force(padding, output_padding):
    found = set()
    for k, s, d in itertools.product((1, 2, 3, 4, 5), (1, 2, 3), (1, 2)):
        extent = (k - 1) * d + 1
        if output_padding is not None and (output_padding >= s or (padding == "same" and extent % 2 == 0)):
            continue
        half = np.random.default_rng(k).normal(size=k)
        kernel = np.ones((k, k)) * (half + half[::-1])[:, None]
        kernel = expansion.dilate(ops.convert_to_tensor(kernel[..., None, None]), (d, d))

        def window(x, kernel=kernel, s=s):
            return ops.conv_transpose(ops.convert_to_tensor(x), kernel, s, padding, output_padding=output_padding)

        symmetric = mirrors(window, 6)
        assert is_symmetric(Spreading(k, s, d, padding, output_padding), 6) == symmetric, (k, s, d)
        found.add(symmetric)
    assert True in found or output_padding == 1


def test_sizes_that_would_work():
    window, mirror = Sliding(3, 2, 1, "same"), (((0, False),), ((0, True),))
    assert windows.right_sizes((window,), 0, 32, mirror) == [31, 33]
    assert is_symmetric(window, 33) and not is_symmetric(window, 32)
    assert windows.lost((window,), (32,), mirror) == {(0, 0, True)}
    assert windows.lost((window,), (None,), mirror) == set()  # some sizes are right:
    assert windows.conditions((window,), (None,), mirror) == {0: ((1,), 2)}
    assert windows.lost((Sliding(4, 1, 1, "same"),), (None,), mirror) == {(0, 0, True)}  # none is


@pytest.mark.parametrize(
    ("mode", "numpy_mode"), [("zeros", "constant"), ("circular", "wrap"), ("reflect", "reflect"), ("replicate", "edge")]
)
@pytest.mark.parametrize(("extent", "stride"), [(3, 1), (4, 1), (5, 2)])
def test_padding_is_numpys(mode, numpy_mode, extent, stride):
    x = np.random.default_rng(0).normal(size=(2, 7, 7, 3)).astype("float32")
    total = (-(-7 // stride) - 1) * stride + extent - 7
    width = (total // 2, total - total // 2)
    expected = np.pad(x, [(0, 0), width, width, (0, 0)], mode=numpy_mode)
    np.testing.assert_array_equal(ops.convert_to_numpy(pad(x, (extent, extent), (stride, stride), mode)), expected)


def test_padding_refuses_what_it_cannot():
    with pytest.raises(ValueError, match="at most 2 pixels"):
        pad(np.zeros((1, 3, 3, 1), "float32"), (7, 7), (1, 1), "reflect")


def test_strided_dilated_equals_two_steps():
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(1, 9, 9, 2)), rng.normal(size=(3, 3, 2, 4))
    both = convolution.convolve(ops.convert_to_tensor(x), ops.convert_to_tensor(kernel), (2, 2), "valid", (2, 2))
    dense = convolution.convolve(ops.convert_to_tensor(x), ops.convert_to_tensor(kernel), (1, 1), "valid", (2, 2))
    np.testing.assert_allclose(both, np.asarray(dense)[:, ::2, ::2], atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_windows_with_gaps_start_at_the_first_pixel_in_every_precision(dtype):
    ramp = np.broadcast_to(np.arange(6.0)[:, None, None], (6, 6, 6))[None, ..., None].astype(dtype)
    for kernel, stride in ((1, 3), (2, 4)):
        first = np.zeros((kernel,) * 3 + (1, 1), dtype)
        first[0, 0, 0] = 1
        y = convolution.convolve(ops.convert_to_tensor(ramp), first, (stride,) * 3, "same", (1, 1, 1))
        np.testing.assert_array_equal(ops.convert_to_numpy(y)[0, :, 0, 0, 0], np.arange(0, 6, stride))


def test_dilated_kernel():
    kernel = np.arange(1.0, 5.0).reshape(2, 2, 1, 1)
    dilated = ops.convert_to_numpy(expansion.dilate(kernel, (2, 3)))[..., 0, 0]
    np.testing.assert_array_equal(dilated, [[1, 0, 0, 2], [0, 0, 0, 0], [3, 0, 0, 4]])


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_linear_upsampling_reproduces_straight_lines(factor):
    ramp = np.broadcast_to(np.arange(6.0)[:, None], (6, 6))[None, ..., None]
    large = ops.convert_to_numpy(pooling.upsample_linear(ops.convert_to_tensor(ramp), (factor, factor)))[0, :, 0, 0]
    inside = slice(factor, -factor)
    expected = (np.arange(6 * factor) + 0.5) / factor - 0.5
    np.testing.assert_allclose(large[inside], expected[inside], atol=1e-12)


@pytest.mark.parametrize("stride", [1, 2, 3, 4, 5, 6, 7])
def test_blur_is_symmetric_on_every_size(stride):
    for size in range(8, 24):
        assert mirrors(lambda x: pooling.blur(ops.convert_to_tensor(x), (stride, stride)), size), size
        assert is_symmetric(Sliding(blur_size(size, stride), stride, padding="same"), size)


def test_blur_refuses_an_unknown_size():
    pooling.check_blurred(None, 1)
    with pytest.raises(ValueError, match="leave out `antialias`"):
        pooling.check_blurred(None, 2)


def test_blur_keeps_a_constant_inside():
    flat = ops.ones((1, 12, 12, 2))
    y = ops.convert_to_numpy(pooling.blur(flat, (2, 2)))
    assert y.shape == (1, 6, 6, 2)
    np.testing.assert_allclose(y[:, 1:-1, 1:-1], 1, rtol=1e-6)
