"""Lifting and group convolutions of volumes, and the poolings beside them."""

import itertools
import pathlib
import sys

import keras
import numpy as np
import pytest
from keras import ops

import keras_equivariant as ke

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "reference"))
from group_convolution import group_convolution  # noqa: E402

L = ke.layers
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("name", "size"), [("T", 2), ("T", 3), ("C4h", (3, 3, 2)), ("C3v_111", 3), ("D2d", (2, 2, 3)), ("C2h", (1, 2, 3))]
)
def test_group_convolution_is_its_definition(name, size):
    group = ke.groups.get(name)
    layer = L.GroupConv3D(2, size, name, use_bias=False, dtype="float64")
    f = RNG.normal(size=(1, 4, 4, 4, group.order, 2))
    y = ops.convert_to_numpy(layer(f))
    np.testing.assert_allclose(y[0], group_convolution(f[0], layer.get_weights()[0], group), atol=1e-12)


@pytest.mark.parametrize("name", ["O", "Oh"])
def test_lifting_convolution_is_its_definition(name):
    layer = L.LiftingConv3D(2, 3, name, use_bias=False, dtype="float64")
    f = RNG.normal(size=(1, 4, 4, 4, 2))
    psi = layer(f) is not None and layer.get_weights()[0][:, :, :, None]
    y = ops.convert_to_numpy(layer(f))
    np.testing.assert_allclose(y[0], group_convolution(f[0][..., None, :], psi, ke.groups.get(name)), atol=1e-12)


@pytest.mark.parametrize(("size", "kernel"), [(5, 3), (4, 2)])
def test_the_whole_octahedral_groups_are_exact_on_odd_and_even_kernels(size, kernel):
    for name in ("O", "Oh"):
        group = ke.groups.get(name)
        layer = L.GroupConv3D(1, kernel, name, dtype="float64")
        f = RNG.normal(size=(1, size, size, size, group.order, 1))
        y = ops.convert_to_numpy(layer(f))
        errors, wrong = [], []
        for e in range(group.order):
            moved = ops.convert_to_numpy(layer(ke.groups.act(f, group, e, "regular")))
            errors.append(np.abs(moved - ke.groups.act(y, group, e, "regular")).max() / np.abs(y).max())
            wrong.append(np.abs(moved - y).max() / np.abs(y).max())
        assert max(errors) <= 1e-12 and min(wrong[1:]) > 1e-2  # negative control: features that do not move


def test_transposed_is_the_adjoint():
    forward = L.GroupConv3D(2, 3, "C4v", strides=2, use_bias=False, dtype="float64")
    back = L.GroupConv3DTranspose(3, 3, "C4v", strides=2, use_bias=False, dtype="float64")
    f, h = RNG.normal(size=(1, 5, 5, 5, 8, 3)), RNG.normal(size=(1, 2, 2, 2, 8, 2))
    y = ops.convert_to_numpy(forward(f))
    back.build(h.shape)
    back.set_weights(forward.get_weights())
    np.testing.assert_allclose(np.sum(y * h), np.sum(f * ops.convert_to_numpy(back(h))), rtol=1e-12)


def test_all_taps_are_learned():
    layer = L.GroupConv3D(2, 5, "O")
    layer.build((None, 7, 7, 7, 24, 3))
    assert layer.kernel.shape == (5, 5, 5, 24, 3, 2) and layer.expanded_kernel().shape == (5, 5, 5, 72, 48)


def test_he_variance_is_kept():
    keras.utils.set_random_seed(0)
    for group, basis in (("O", "auto"), ("I", "auto"), ("D3d", "gaussian"), ("C6h", "bilinear")):
        order = ke.groups.get(group).order
        layer = L.GroupConv3D(8, 3, group, basis=basis, use_bias=False, kernel_initializer="lecun_normal")
        y = ops.convert_to_numpy(
            layer(np.ones((1, 3, 3, 3, order, 8), "float32") * RNG.normal(size=8).astype("float32"))
        )
        assert 0.3 < y.std() < 3


def test_the_steerable_basis_rotates_better_than_interpolation():
    """A fifth turn of a smooth volume, which no voxel grid carries."""
    group = ke.groups.get("I")
    axes = np.meshgrid(*3 * [np.arange(17) - 8.0], indexing="ij")
    x = np.exp(-((axes[0] - 2) ** 2 / 20 + (axes[1] + 1) ** 2 / 8 + axes[2] ** 2 / 12))[None, ..., None]
    element = group.element_names.index("f72")
    errors = {}
    for basis in ("steerable", "gaussian", "bilinear"):
        keras.utils.set_random_seed(0)
        layer = L.LiftingConv3D(1, 3, "I", padding="same", basis=basis, dtype="float64")
        y, moved = (ops.convert_to_numpy(layer(v)) for v in (x, ke.groups.act(x, group, element, "image")))
        difference = (moved - ke.groups.act(y, group, element, "regular"))[:, 4:-4, 4:-4, 4:-4]
        errors[basis] = np.linalg.norm(difference) / np.linalg.norm(y[:, 4:-4, 4:-4, 4:-4])
    assert errors["steerable"] < 0.1 and errors["steerable"] < min(errors["gaussian"], errors["bilinear"]) / 4


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("layer", "sizes", "message"),
    [
        (
            lambda **k: L.LiftingConv3D(1, 3, "O", strides=2, padding="same", **k),
            (8, 8, 8),
            "the 8 pixels of D, H and W",
        ),
        (
            lambda **k: L.LiftingConv3D(1, 3, "C4z", strides=2, padding="same", **k),
            (8, 8, 8),
            "the 8 pixels of D and H ",
        ),
        (lambda **k: L.LiftingConv3D(1, 3, "Cs", strides=2, padding="same", **k), (8, 8, 8), "the 8 pixels of W "),
        (lambda **k: L.MaxPooling3D(2, **k), (4, 4, 5), "the 5 pixels of W "),
        (
            lambda **k: L.UpSampling3D((2, 2, 1), group="O", **k),
            (4, 4, 4),
            "O swaps axes that grow by different factors",
        ),
    ],
)
def test_sizes_that_break_the_symmetry(layer, sizes, message, strict):
    if strict:
        with pytest.raises(ValueError, match=message):
            layer().build((None, *sizes, 1))
        return
    with pytest.warns(UserWarning, match=message):
        layer(strict=False).build((None, *sizes, 1))


def test_axes_that_the_group_leaves_alone_may_have_any_size():
    L.LiftingConv3D(1, (3, 3, 2), "C4z", strides=(1, 1, 2), padding="same").build((None, 5, 5, 8, 1))
    L.MaxPooling3D((1, 1, 2), group="C4z").build((None, 5, 5, 7, 1))
    assert L.UpSampling3D((2, 2, 1), group="D4h").compute_output_shape((None, 3, 3, 3, 1)) == (None, 6, 6, 3, 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: L.LiftingConv3D(2, 3, "C4"), 'acts on, 2. Received: .*; use a group of space such as "O"'),
        (lambda: L.LiftingConv2D(2, 3, "O"), 'acts on, 3. Received: .*; use a group of the plane such as "C4"'),
        (lambda: L.GroupConv3D(2, (3, 3, 5), "O"), "must keep its shape under O.*such as C2z or D2h"),
        (
            lambda: L.GroupConv3D(2, 3, "C6z", basis="exact"),
            'permutes the pixels.*a group of the cube.*basis="steerable"',
        ),
        (lambda: L.GroupConv3DTranspose(2, 3, "T", groups=2), "use UpSampling3D and GroupConv3D"),
        (lambda: L.UpSampling3D(2, interpolation="bilinear"), "'trilinear'"),
        (lambda: L.MaxPooling3D(2).build((None, 4, 4, 4)), r"takes a volume \(B, D, H, W, C\), regular features"),
        (lambda: L.AveragePooling3D(2, antialias=True).build((None, None, 4, 4, 1)), "unknown size"),
        (lambda: L.GroupConv3D(2, 3, "T").build((None, 4, 4, 4, 2)), "a volume becomes that by LiftingConv3D"),
        (lambda: L.LiftingConv3D(2, 3, 4), "For grouped convolution use `groups=4`"),
        (lambda: L.LiftingConv3D(2, 3, "SO3"), "needs a finite group"),
        (lambda: L.LiftingConv3D(2, 3, "T", data_format="channels_first"), "channels_last"),
    ],
)
def test_errors_name_the_alternative(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("mode", ["Max", "Average"])
@pytest.mark.tensorflow
def test_poolings_are_the_stock_ones(mode, padding):
    x = RNG.normal(size=(2, 6, 5, 7, 3)).astype("float32")
    arguments = {"pool_size": (2, 3, 2), "strides": (2, 1, 3), "padding": padding}
    ours = getattr(L, f"{mode}Pooling3D")(**arguments, group="Z3")
    stock = getattr(keras.layers, f"{mode}Pooling3D")(**arguments)
    np.testing.assert_allclose(ours(x), stock(x), rtol=1e-6, atol=1e-6)


def test_blur_is_the_product_of_three():
    impulse = np.zeros((1, 5, 5, 5, 1), "float32")
    impulse[0, 2, 2, 2] = 1
    y = ops.convert_to_numpy(L.AveragePooling3D(1, strides=1, antialias=True)(impulse))
    weights = np.array([0.25, 0.5, 0.25])
    expected = np.einsum("i,j,k->ijk", weights, weights, weights)
    np.testing.assert_allclose(y[0, 1:4, 1:4, 1:4, 0], expected, atol=1e-7)


def test_upsampling_keeps_the_center():
    x = RNG.normal(size=(1, 3, 3, 3, 1)).astype("float32")
    nearest = ops.convert_to_numpy(L.UpSampling3D(2)(x))
    for corner in itertools.product((0, 1), repeat=3):
        np.testing.assert_array_equal(nearest[(slice(None), *(slice(c, None, 2) for c in corner))], x)
    ramp = np.broadcast_to(np.arange(4.0, dtype="float32")[:, None, None], (4, 4, 4))[None, ..., None]
    linear = ops.convert_to_numpy(L.UpSampling3D(2, interpolation="trilinear")(ramp))
    np.testing.assert_allclose(linear[0, 1:-1, 0, 0, 0], np.arange(1, 7) / 2 - 0.25, atol=1e-6)


def test_pooling_over_a_subgroup_leaves_its_quotient():
    layer = L.GroupPooling("mean", group="O", subgroup="T")
    x = RNG.normal(size=(1, 2, 2, 2, 24, 3))
    y = ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(
        y, np.stack([x[..., :12, :].mean(-2), x[..., 12:, :].mean(-2)], axis=-2), rtol=1e-5, atol=1e-6
    )
    with pytest.raises(ValueError, match="must be contained in O"):
        L.GroupPooling(group="O", subgroup="C4h")
