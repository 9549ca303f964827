import ast
import pathlib
import sys
import warnings

import keras
import numpy as np
import pytest
from keras import ops

import keras_equivariant as ke

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "reference"))
from group_convolution import group_convolution  # noqa: E402

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("name", ["C1", "C2", "C4", "D1", "D4"])
@pytest.mark.parametrize("size", [2, 3])
def test_group_convolution_is_its_definition(name, size):
    group = ke.groups.get(name)
    layer = ke.layers.GroupConv2D(2, size, name, use_bias=False, dtype="float64")
    f = RNG.normal(size=(1, 5, 5, group.order, 3))
    y = ops.convert_to_numpy(layer(f))
    np.testing.assert_allclose(y[0], group_convolution(f[0], layer.get_weights()[0], group), atol=1e-12)


@pytest.mark.parametrize("name", ["C4", "D4"])
def test_lifting_convolution_is_its_definition(name):
    layer = ke.layers.LiftingConv2D(2, 3, name, use_bias=False, dtype="float64")
    f = RNG.normal(size=(1, 5, 5, 3))
    y = ops.convert_to_numpy(layer(f))
    psi = layer.get_weights()[0][:, :, None]
    np.testing.assert_allclose(y[0], group_convolution(f[0][:, :, None], psi, ke.groups.get(name)), atol=1e-12)


def test_first_plane_of_expanded_kernel_is_the_learned_one():
    layer = ke.layers.GroupConv2D(2, 3, "D4")
    layer.build((None, 5, 5, 8, 3))
    expanded = ops.convert_to_numpy(layer.expanded_kernel()).reshape(3, 3, 8, 3, 8, 2)
    np.testing.assert_array_equal(expanded[:, :, :, :, 0], layer.get_weights()[0])


def test_transposed_is_the_adjoint():
    forward = ke.layers.GroupConv2D(2, 3, "D4", strides=2, use_bias=False, dtype="float64")
    back = ke.layers.GroupConv2DTranspose(3, 3, "D4", strides=2, use_bias=False, dtype="float64")
    f, h = RNG.normal(size=(1, 9, 9, 8, 3)), RNG.normal(size=(1, 4, 4, 8, 2))
    y = ops.convert_to_numpy(forward(f))
    back.build(h.shape)
    back.set_weights(forward.get_weights())
    np.testing.assert_allclose(np.sum(y * h), np.sum(f * ops.convert_to_numpy(back(h))), rtol=1e-12)


@pytest.mark.parametrize(
    ("group", "basis"),
    [
        ("D4", "exact"),
        ("C4", "bilinear"),
        ("C8", "bilinear"),
        ("C8", "gaussian"),
        ("C8", "steerable"),
        ("D6", "steerable"),
    ],
)
def test_he_variance_is_kept_through_depth(group, basis):
    options = {
        "kernel_size": 3,
        "group": group,
        "basis": basis,
        "kernel_initializer": "he_normal",
        "padding": "same",
        "padding_mode": "circular",
        "activation": "relu",
    }
    depth, growth = 6, []
    for seed in range(4):
        keras.utils.set_random_seed(seed)
        x = ke.layers.LiftingConv2D(32, **options)(RNG.normal(size=(1, 8, 8, 16)).astype("float32"))
        x = ke.layers.GroupConv2D(32, **options)(x)  # from here on the features are as smooth as they get
        first = float(ops.mean(ops.square(x)))
        for _ in range(depth):
            x = ke.layers.GroupConv2D(32, **options)(x)
        growth.append(np.log(float(ops.mean(ops.square(x))) / first) / depth)
    # Per layer; counting the pixels of a steerable basis as independent gives 1.6 to 2.
    assert 0.7 < np.exp(np.mean(growth)) < 1.4


@pytest.mark.parametrize("fields", [3, 128])
def test_pointwise_convolution_same_numbers_both_ways(fields):
    layer = ke.layers.GroupConv2D(fields, 1, "D4")
    x = RNG.normal(size=(2, 4, 4, 8, fields)).astype("float32")
    y = ops.convert_to_numpy(layer(x))
    flat = x.reshape(2, 4, 4, -1) @ ops.convert_to_numpy(layer.expanded_kernel())[0, 0]
    np.testing.assert_allclose(y.reshape(flat.shape), flat, atol=1e-5 * np.abs(flat).max())


def test_even_size_trap_raises_and_odd_size_is_exact():
    def build(size, **options):
        layer = ke.layers.GroupConv2D(2, 3, "D4", strides=2, padding="same", dtype="float64", **options)
        return layer, RNG.normal(size=(1, size, size, 8, 1))

    layer, x = build(32)
    with pytest.raises(ValueError, match="use size 31 or 33, or kernel_size=4, or AveragePooling2D"):
        layer(x)
    layer, x = build(32, strict=False)
    with pytest.warns(UserWarning, match="only approximately equivariant") as caught:
        layer(x)
        layer(x)
    assert len(caught) == 1
    assert caught[0].filename == __file__  # the user's line, not one of Keras
    assert max(ke.equivariance_error(layer, "D4", x).values()) > 0.1
    layer, x = build(33)
    assert max(ke.equivariance_error(layer, "D4", x).values()) < 1e-12


def test_strictness_looks_only_at_what_the_group_moves():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ke.layers.LiftingConv2D(1, 2, "Z2", padding="same")(np.zeros((1, 8, 8, 1), "float32"))
        ke.layers.LiftingConv2D(1, (2, 3), "D1", padding="same")(np.zeros((1, 8, 8, 1), "float32"))
    with pytest.raises(ValueError, match="of W symmetrically"):
        ke.layers.LiftingConv2D(1, (3, 2), "D1", padding="same")(np.zeros((1, 8, 8, 1), "float32"))


def test_unknown_sizes_pass_and_run():
    inputs = keras.Input((None, None, 3))
    x = ke.layers.LiftingConv2D(4, 3, "D4", padding="same")(inputs)
    with pytest.warns(UserWarning, match="only on even sizes of H and W. Received.*give the model a fixed input shape"):
        x = ke.layers.MaxPooling2D(2)(x)
    model = keras.Model(inputs, ke.layers.GroupPooling()(x))
    assert model.output_shape == (None, None, None, 4)
    assert model(np.zeros((1, 12, 8, 3), "float32")).shape == (1, 6, 4, 4)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "strides": 2, "padding": "same"},
        {"kernel_size": 1, "strides": 3},
        {"kernel_size": 3, "strides": 2, "output_padding": 1},
        {"kernel_size": 2, "strides": 1, "padding": "same"},
    ],
)
def test_advice_for_transposed_convolutions_works(options):
    x = RNG.normal(size=(1, 5, 5, 8, 1))
    with pytest.raises(ValueError, match="two ends of H and W differently. Received.*; use ") as error:
        ke.layers.GroupConv2DTranspose(1, group="D4", **options)(x)
    advice = str(error.value).split("; use ")[1].split(". With")[0]
    for fix in advice.split(", or "):
        changed = dict(one.split("=") for one in fix.split(", "))
        fixed = {**options, **{name: ast.literal_eval(value) for name, value in changed.items()}}
        layer = ke.layers.GroupConv2DTranspose(1, group="D4", dtype="float64", **fixed)
        assert max(ke.equivariance_error(layer, "D4", x).values()) < 1e-12, fix


def test_antialiased_pooling_needs_known_sizes():
    with pytest.raises(ValueError, match="give the model a fixed input shape"):
        ke.layers.MaxPooling2D(2, antialias=True)(keras.Input((None, 8, 1)))


def test_own_group_in_a_saved_model(tmp_path):
    ke.groups.register(ke.groups.from_generators("half_turn", [[[-1, 0], [0, -1]]]))
    inputs = keras.Input((7, 9, 1))
    model = keras.Model(inputs, ke.layers.LiftingConv2D(2, (3, 5), "half_turn")(inputs))
    model.save(tmp_path / "model.keras")
    x = RNG.normal(size=(1, 7, 9, 1)).astype("float32")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(ops.convert_to_numpy(loaded(x)), ops.convert_to_numpy(model(x)))


IMAGE, REGULAR = (1, 9, 9, 4), (1, 9, 9, 8, 4)


@pytest.mark.parametrize(
    ("make", "shape", "message"),
    [
        (
            lambda: ke.layers.GroupConv2D(2, 3, "D4"),
            IMAGE,
            "takes features of shape .*an image becomes that by LiftingConv2D",
        ),
        (lambda: ke.layers.GroupConv2D(2, 3, "C4"), REGULAR, r"takes features of shape \(B, H, W, 4, C\)"),
        (lambda: ke.layers.LiftingConv2D(2, 3, "C4"), REGULAR, r"takes features of shape \(B, H, W, C\)"),
        (lambda: ke.layers.LiftingConv2D(2, 3, "X4"), None, "`group` must be"),
        (lambda: ke.layers.LiftingConv2D(2, 3, 4), None, "For grouped convolution use `groups=4`"),
        (lambda: ke.layers.LiftingConv2D(2, 3, "C4", groups="C4"), None, "`group` names a symmetry"),
        (lambda: ke.layers.LiftingConv2D(3, 3, "C4", groups=2), None, "`filters` must be divisible"),
        (lambda: ke.layers.LiftingConv2D(3, 3, "C4", groups=3), IMAGE, "fields must be divisible"),
        (lambda: ke.layers.LiftingConv2D(0, 3, "C4"), None, "`filters` must be a positive integer"),
        (lambda: ke.layers.LiftingConv2D(2, (3, 3, 3), "C4"), None, "`kernel_size` must be an integer"),
        (lambda: ke.layers.LiftingConv2D(2, 3, "C4", strides=0), None, "`strides` must be an integer"),
        (lambda: ke.layers.LiftingConv2D(2, 3, "C4", padding="causal"), None, "`padding` must be one of"),
        (lambda: ke.layers.LiftingConv2D(2, 3, "C4", padding_mode="circular"), None, 'only applies to padding="same"'),
        (lambda: ke.layers.LiftingConv2D(2, 3, "C4", data_format="channels_first"), None, "keras.layers.Permute"),
        (lambda: ke.layers.LiftingConv2D(2, (3, 5), "C4"), None, "must keep its shape under C4"),
        (lambda: ke.layers.LiftingConv2D(2, 3, "C8", basis="exact"), None, 'use basis="steerable"'),
        (lambda: ke.layers.LiftingConv2D(2, 11, "C4"), IMAGE, 'use padding="same" or a smaller kernel'),
        (lambda: ke.layers.GroupConv2DTranspose(2, 3, "D4", groups=2), None, "no field groups"),
        (
            lambda: ke.layers.GroupConv2DTranspose(2, 3, "D4", strides=2, output_padding=2),
            None,
            "smaller than `strides`",
        ),
        (lambda: ke.layers.GroupConv2DTranspose(2, 3, "D4", strides=2, padding="same"), REGULAR, "treats the two ends"),
        (lambda: ke.layers.GroupPooling("median"), None, "`mode` must be one of"),
        (lambda: ke.layers.GroupPooling(subgroup="C4"), None, "`subgroup` needs the `group`"),
        (lambda: ke.layers.GroupPooling(group="D4", subgroup="C8"), None, "must be contained in D4"),
        (lambda: ke.layers.GroupPooling(group="C4"), REGULAR, "features with a group axis"),
        (lambda: ke.layers.MaxPooling2D(2), REGULAR, "use size 8 or 10, or pool_size=3"),
        (lambda: ke.layers.MaxPooling2D(10), REGULAR, "The window must fit"),
        (lambda: ke.layers.MaxPooling2D(3), (1, 9, 9), "takes an image"),
        (lambda: ke.layers.UpSampling2D((2, 3)), REGULAR, "grow by different factors"),
        (lambda: ke.layers.UpSampling2D(interpolation="cubic"), None, "`interpolation` must be one of"),
    ],
)
def test_bad_arguments_and_inputs_get_a_clear_error(make, shape, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()(np.zeros(shape, "float32"))
