"""Layers on field types in space: their laws at rotations of the grid and any others, and what they refuse."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_equivariant as ke
from keras_equivariant import FieldType, groups, layers
from keras_equivariant.equivariance.twin import smooth_noise
from keras_equivariant.ops import pooling

pytestmark = pytest.mark.tensorflow
ROTATION = groups.rotation_matrix(35, axis=(1, 2, 3))


@pytest.fixture(autouse=True)
def _seed():
    keras.utils.set_random_seed(0)


def features(text, group, lead=(4,), seed=0):
    field_type = FieldType.parse(text, group)
    return field_type, np.random.default_rng(seed).normal(size=(*lead, field_type.size))


def error_of_features(layer, in_type, out_type, x, matrix=ROTATION):
    """The relative error of the law for features without space."""
    y = ops.convert_to_numpy(layer(x))
    moved = ops.convert_to_numpy(layer(in_type.transform(x, matrix)))
    return np.linalg.norm(moved - out_type.transform(y, matrix)) / np.linalg.norm(y)


def test_numbers_of_weights():
    layer = layers.SteerableConv3D("1x0", "1x1", 5, group="SO3", use_bias=False)
    layer.build((None, 9, 9, 9, 1))
    assert layer.count_params() == 2
    layer = layers.SteerableConv3D("4x0 + 4x1 + 4x2 + 1x3", "48x0 + 16x1 + 16x2", 5, group="SO3")
    layer.build((None, 9, 9, 9, 43))
    assert layer.count_params() == 3760 + 48


@pytest.mark.parametrize("size", [3, 5])
def test_unit_variance_at_initialization(size):
    in_type, x = features("8x0 + 4x1 + 4x2", "SO3", (2, 16, 16, 16))
    out_type = FieldType.parse("16x0 + 16x1 + 8x2 + 8x3", "SO3")
    layer = layers.SteerableConv3D(in_type, out_type, size, kernel_initializer="lecun_normal", use_bias=False)
    y = ops.convert_to_numpy(layer(x.astype("float32")))
    for block in out_type.blocks:
        part = y[..., block.start : block.stop]
        assert abs(part.mean()) < 0.1 and abs(part.std() - 1) < 0.1


@pytest.mark.parametrize(
    "layer",
    [
        layers.NormActivation("4x0 + 2x1 + 2x2", "SO3", bias_initializer="normal", dtype="float64"),
        layers.GatedActivation("4x0e + 2x1o + 2x2e", "O3", dtype="float64"),
        layers.TensorProductActivation("2x0 + 2x1 + 2x2", "SO3", max_frequency=3, dtype="float64"),
        layers.SteerableDense("4x0 + 2x1 + 2x2", "1x0 + 3x1 + 2x2", "SO3", dtype="float64"),
        layers.SteerableBatchNormalization("4x0 + 2x1 + 2x2", "SO3", dtype="float64"),
        layers.SteerableLayerNormalization("4x0e + 2x1o + 2x1e", "O3", dtype="float64"),
        layers.NormPooling("4x0 + 2x1 + 2x2", "SO3", dtype="float64"),
    ],
    ids=lambda layer: layer.name,
)
def test_any_rotation_is_exact_where_there_is_no_space(layer):
    x = np.random.default_rng(0).normal(size=(5, layer.in_type.size))
    assert error_of_features(layer, layer.in_type, layer.out_type, x) < 1e-12
    if layer.in_type.group.mirrors:
        assert error_of_features(layer, layer.in_type, layer.out_type, x, -ROTATION) < 1e-12
    y = ops.convert_to_numpy(layer(x))
    unmoved = ops.convert_to_numpy(layer(x[:, ::-1]))
    assert np.abs(unmoved - y).max() > 1e-2  # a layer that looks at its input


@pytest.mark.parametrize(
    ("text", "group", "samples"),
    [
        ("2x0 + 6x1", "SO3", 24),
        ("1x0 + 3x1 + 5x2", "SO3", 120),
        ("1x0 + 3x1 + 5x2 + 7x3", "SO3", 480),
        ("2x0 + 2x1 + 2x2", "SO3", 14),
        ("1x0e + 1x0o + 3x1e + 3x1o", "O3", 48),
        ("2x0e + 2x1o", "O3", 6),
        ("1xA1 + 1xA2 + 2xE + 3xT1 + 3xT2", "O", 24),
    ],
)
def test_fourier_activation(text, group, samples):
    layer = layers.FourierActivation(text, group, dtype="float64")
    assert len(layer._sampling) == samples
    x = np.random.default_rng(0).normal(size=(5, layer.in_type.size))
    cube = groups.get(group).matrices
    assert max(error_of_features(layer, layer.in_type, layer.out_type, x, matrix) for matrix in cube) < 1e-12
    linear = layers.FourierActivation(text, group, activation="linear", dtype="float64")
    np.testing.assert_allclose(linear(x), x, atol=1e-12)  # the means are exact for products of two functions
    if group != "O":
        assert 1e-3 < error_of_features(layer, layer.in_type, layer.out_type, x) < 0.6  # all others: nearly


def test_fourier_activation_on_a_grid_of_ones_own():
    finer = layers.FourierActivation("1x0 + 3x1", "SO3", grid="I", dtype="float64")
    x = np.random.default_rng(0).normal(size=(5, 10))
    for matrix in groups.get("I").matrices:
        assert error_of_features(finer, finer.in_type, finer.out_type, x, matrix) < 1e-12
    with pytest.raises(ValueError, match="twice the highest degree"):
        layers.FourierActivation("1x0 + 3x1 + 5x2", "SO3", grid="O")
    with pytest.raises(ValueError, match='use "2x0 \\+ 6x1"'):
        layers.FourierActivation("2x0 + 3x1", "SO3")


def smooth_volumes(size=19, wavelength=8.0):
    x = smooth_noise((2, size, size, size, 1), 3, np.random.default_rng(0), wavelength=wavelength)
    return x * ball(size)


def ball(size):
    """1 in the middle, falling smoothly to 0."""
    axis = np.arange(size) - (size - 1) / 2
    radius = np.sqrt(sum(a**2 for a in np.meshgrid(axis, axis, axis, indexing="ij"))) / size
    return (0.5 * (1 + np.cos(np.pi * np.clip((radius - 0.3) / 0.12, 0, 1))))[None, ..., None]


def rotation_error(layer, matrix=ROTATION, size=19):
    """|f(g x) - g f(x)| / |f(x)| on smooth volumes, within the ball."""
    x = smooth_volumes(size)
    y = ops.convert_to_numpy(layer(x))
    moved = ops.convert_to_numpy(layer(groups.move_pixels(x, matrix)))
    expected = groups.move_pixels(layer.out_type.transform(y, matrix), matrix)
    window = ball(y.shape[1])
    return np.linalg.norm((moved - expected) * window) / np.linalg.norm(y * window)


def test_any_rotation_of_smooth_volumes_is_near():
    def layer(text, **options):
        return layers.SteerableConv3D("1x0", text, 5, "SO3", padding="same", use_bias=False, dtype="float64", **options)

    assert rotation_error(layer("4x0 + 4x1 + 4x2")) < 0.1
    assert rotation_error(layer("12x0")) < 0.04
    plain = keras.layers.Conv3D(12, 5, padding="same", use_bias=False, dtype="float64")
    plain.out_type = FieldType.parse("12x0", "SO3")
    assert rotation_error(plain) > 0.5
    # Degree 2 needs more voxels than the nearest ones.
    wide = layers.SteerableConv3D("1x0", "4x2", 7, "SO3", padding="same", use_bias=False, dtype="float64")
    narrow = layers.SteerableConv3D("1x0", "4x2", 3, "SO3", padding="same", use_bias=False, dtype="float64")
    assert rotation_error(wide) < 0.6 * rotation_error(narrow)
    wrong = layer("4x1")
    wrong.out_type = FieldType.parse("12x0", "SO3")  # vectors that are said not to rotate
    assert rotation_error(wrong) > 0.3


def test_the_low_pass_makes_strides_nearly_equivariant():
    # Noise of all wavelengths, of which the strided grid carries the long ones only.
    errors = []
    for antialias in (False, True):
        keras.utils.set_random_seed(0)
        layer = layers.SteerableConv3D(
            "1x0", "4x0 + 4x1", 5, "SO3", strides=2, padding="same", antialias=antialias, use_bias=False
        )
        x = smooth_volumes(21, wavelength=3.0)
        y = ops.convert_to_numpy(layer(x))
        moved = ops.convert_to_numpy(layer(groups.move_pixels(x, ROTATION)))
        expected = groups.move_pixels(layer.out_type.transform(y, ROTATION), ROTATION)
        window = ball(11)
        errors.append(np.linalg.norm((moved - expected) * window) / np.linalg.norm(y * window))
    assert errors[1] < 0.7 * errors[0]


def test_the_low_pass():
    x = np.zeros((1, 9, 9, 9, 1))
    x[0, 4, 4, 4, 0] = 1.0
    y = ops.convert_to_numpy(pooling.low_pass(x, (2, 2, 1)))[0, ..., 0]
    assert y.sum() == pytest.approx(1) and np.count_nonzero(y) == 5 * 5
    offsets = np.arange(9) - 4
    deviation = np.sqrt(np.sum(y.sum(axis=(1, 2)) * offsets**2))
    assert deviation == pytest.approx(0.5 * np.sqrt(3), rel=0.05)
    np.testing.assert_allclose(pooling.gaussian(1), [1.0])


def test_field_groups_are_a_block_diagonal_kernel():
    arguments = {"kernel_size": 3, "group": "SO3", "groups": 2, "padding": "same", "dtype": "float64"}
    layer = layers.SteerableConv3D("2x0 + 2x1", "2x0 + 2x1", **arguments)
    field_type, x = features("2x0 + 2x1", "SO3", (2, 5, 5, 5))
    y = ops.convert_to_numpy(layer(x))
    dense = ops.convert_to_numpy(ops.conv(x, layer.expanded_kernel(), padding="same"))
    np.testing.assert_allclose(y, dense, atol=1e-12)
    first = x.copy()
    first[..., [1, 3, 5, 7]] = 0  # all of the second field group
    changed = np.abs(ops.convert_to_numpy(layer(first)) - y).max(axis=(0, 1, 2, 3)) > 1e-9
    assert np.flatnonzero(changed).tolist() == [1, 3, 5, 7]


def test_anisotropic_voxels_and_volumes_that_are_no_cubes():
    layer = layers.SteerableConv3D(
        "1x0", "2x0 + 2x1", (5, 5, 3), "SO3", padding="same", voxel_size=(1, 1, 2), dtype="float64"
    )
    x = np.random.default_rng(0).normal(size=(1, 8, 6, 5, 1))
    y = ops.convert_to_numpy(layer(x))
    assert y.shape == (1, 8, 6, 5, 8)
    for matrix in groups.get("D4z").matrices:
        moved = ops.convert_to_numpy(layer(groups.move_pixels(x, matrix)))
        np.testing.assert_allclose(moved, groups.move_pixels(layer.out_type.transform(y, matrix), matrix), atol=1e-12)
    with pytest.raises(ValueError, match=r"SO3 swaps axes along which the window differs, kernel_size=\(5, 5, 3\)"):
        layers.SteerableConv3D("1x0", "1x1", (5, 5, 3), "SO3").build((None, 8, 8, 8, 1))
    with pytest.raises(ValueError, match=r"strides=\(1, 2, 1\)\. Received: .*; use strides=2"):
        layers.SteerableConv3D("1x0", "1x1", 3, "SO3", strides=(1, 2, 1)).build((None, 7, 7, 7, 1))


def test_restriction_goes_on_with_fewer_symmetries():
    inputs = keras.Input((5, 5, 5, 1), dtype="float64")
    x = layers.SteerableConv3D("1x0", "2x0 + 2x1 + 1x2", 3, "SO3", padding="same", dtype="float64")(inputs)
    restrict = layers.Restrict("2x0 + 2x1 + 1x2", "O", group="SO3", dtype="float64")
    assert str(restrict.out_type) == "2xA1 + 2xT1 + 1xE + 1xT2"
    x = layers.SteerableConv3D(restrict.out_type, "2xregular", 3, activation="relu", dtype="float64")(restrict(x))
    x = layers.UnflattenFields("2xregular", group="O", dtype="float64")(x)
    model = keras.Model(inputs, layers.GroupConv3D(2, 3, "O", dtype="float64")(x))
    report = ke.certify(model, angles=0)
    assert report.exact and report.group == "O"


def test_a_vector_rotates_with_its_volume():
    inputs = keras.Input((7, 7, 7, 1))
    gated = layers.GatedActivation.in_type_for("2x0 + 2x1", "SO3")
    x = layers.SteerableConv3D("1x0", gated, 3, "SO3", padding="same")(inputs)
    x = layers.SteerableConv3D("2x0 + 2x1", "1x1", 3, "SO3", padding="same")(layers.GatedActivation(gated)(x))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling3D()(x))
    x = np.random.default_rng(0).normal(size=(2, 7, 7, 7, 1)).astype("float32")
    y = model.predict_on_batch(x)
    for matrix in groups.get("O").matrices:
        moved = model.predict_on_batch(np.ascontiguousarray(groups.move_pixels(x, matrix)))
        np.testing.assert_allclose(moved, y @ matrix.T, atol=1e-5 * np.abs(y).max())
    assert np.abs(y).max() > 1e-4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.SteerableConv3D("1x0", "1x1", 3, "SO2"), 'needs a group of space, such as "SO3"'),
        (lambda: layers.SteerableConv2D("1x0", "1x1", 3, "SO3"), 'needs a group of the plane, such as "SO2"'),
        (lambda: layers.SteerableConv3D("1x0", "1x1o", 3, "O3"), "O3 has the irreps"),
        (lambda: layers.SteerableConv3D("1x0e", "1x1e", 3, "O3"), 'none from "1x0e" to "1e"'),
        (lambda: layers.SteerableConv3D("1x0", "1x21", 3, "SO3"), "up to 20"),
        (lambda: layers.SteerableConv3D("1x0", "1x1", 3, "SO3", basis="exact"), "a group of the cube"),
        (lambda: layers.SteerableConv3D("1x0", "1x1", 3, "SO3", activation="relu"), "mixes its components"),
        (lambda: layers.SteerableConv3DTranspose("1x0", "1x1", 4, "SO3", strides=2, antialias=True), "UpSampling3D"),
        (lambda: layers.SteerableConv3D("1x0", "1x1", 3, "SO3").build((None, 8, 8, 1)), r"\(B, D, H, W, 1\)"),
        (lambda: layers.SteerableConv3D("1x0", "1x1", 5, "SO3").build((None, 4, 4, 4, 1)), "must fit"),
        (
            lambda: layers.SteerableConv3D("1x0", "1x1", 5, "SO3", strides=2, padding="same").build((None, 8, 8, 8, 1)),
            "use size 7 or 9",
        ),
        (lambda: layers.ConcatenatedReLU("1x0 + 1x1", "SO3"), "use NormActivation"),
        (lambda: layers.FlattenFields("SO3"), "need a finite group. Received: .*use its O"),
        (lambda: layers.Restrict("1x1", "C4", group="SO3"), "must be contained in SO3"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
