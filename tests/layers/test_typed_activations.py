"""Nonlinearities and poolings on field types: their laws at all angles, their types, their edges."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_equivariant as ke
from keras_equivariant import FieldType, groups, layers

MIRROR = np.diag([-1.0, 1.0])


def elements(group, seed=0):
    """Some elements at random of a continuous group, all of a finite one."""
    group = groups.get(group)
    if not isinstance(group, groups.ContinuousGroup):
        return list(group.matrices)
    angles = np.random.default_rng(seed).uniform(0, 2 * np.pi, 5)
    rotations = [np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]]) for t in angles]
    return rotations + [MIRROR @ rotation for rotation in rotations] if group.mirrors else rotations


def prepared(layer, lead=(2, 3, 4)):
    """Features for a layer, which is built on them and has random weights."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(*lead, layer.in_type.size))
    layer(x)
    for weight in layer.weights:
        weight.assign(rng.uniform(-0.5, 0.8, size=weight.shape))
    return x


def law(layer, lead=(2, 3, 4), out=None):
    """The largest error over the group's elements; `out` is the type that the result is said to have."""
    x = prepared(layer, lead)
    y, out = ops.convert_to_numpy(layer(x)), out or layer.out_type
    moved = [
        (ops.convert_to_numpy(layer(layer.in_type.transform(x, m))), out.transform(y, m))
        for m in elements(layer.group.name)
    ]
    return max(np.abs(a - b).max() for a, b in moved) / np.abs(y).max()


TYPES = [
    ("3x0 + 2x1 + 2x3", "SO2"),
    ("3x0+ + 2x0- + 2x1", "O2"),
    ("2xregular + 2x1 + 2x2- + 3x0+", "D4"),
    ("5xtrivial + 2xregular", "C8"),
    ("2x1", "D3"),
]
PRODUCTS = [
    *(("2x0 + 2x1 + 2x2", "SO2", highest) for highest in (None, 0, 4)),
    ("2x0+ + 2x0- + 2x1 + 2x2", "O2", None),
    ("2x0 + 3x1 + 2x2", "SO2", 3),
    ("2xirreps", "D4", None),
    ("1xirreps", "C8", None),
    ("2xirreps", "D3", 1),
]
SIGNED = [
    ("2x0+ + 2x0- + 2x2+ + 2x2- + 3x1 + 2xregular", "D4"),
    ("2x0 + 2x1 + 2x2 + 2xinduced(C2,1)", "C4"),
    ("2x0 + 3x4 + 2xquotient(C2)", "C8"),
    ("3x0", "SO2"),
]


def equivariant_layers():
    float64 = {"dtype": "float64"}
    for field_type, group in TYPES:
        options = {"group": group, **float64}
        yield layers.NormActivation(field_type, **options)
        yield layers.NormActivation(field_type, activation="softplus", use_bias=False, **options)
        gated = layers.GatedActivation.in_type_for(field_type, group)
        yield layers.GatedActivation(gated, use_bias=True, **float64)
        yield layers.GatedActivation(gated, gate="tanh", activation="elu", **float64)
    for field_type, group, highest in PRODUCTS:
        yield layers.TensorProductActivation(field_type, group=group, max_frequency=highest, **float64)
    for field_type, group in SIGNED:
        yield layers.ConcatenatedReLU(field_type, group=group, **float64)
    for field_type, group in [("2x0 + 2x1 + 2x2", "C8"), ("2x0+ + 2x1 + 2x2+", "D4"), ("2x0+ + 4x1", "D3")]:
        yield layers.FourierActivation(field_type, group=group, **float64)
    yield layers.PointwiseActivation("2x0+ + 2xregular + 2xquotient(C4)", "elu", group="D4", **float64)


def describe(layer):
    return f"{type(layer).__name__}({layer.in_type}, {layer.group.name})" if hasattr(layer, "in_type") else None


@pytest.mark.parametrize("layer", list(equivariant_layers()), ids=describe)
def test_law_at_all_elements(layer):
    assert law(layer) <= 1e-12
    for fewer in [(3,), (2, 2, 2, 2)]:  # vectors and volumes
        assert law(layer, lead=fewer) <= 1e-12
    if not layer.out_type.size == layer.out_type.fields:  # negative control: a result that is said not to rotate
        assert law(layer, out=FieldType.scalars(layer.out_type.size, layer.group)) > 1e-2


@pytest.mark.parametrize("layer", list(equivariant_layers()), ids=describe)
def test_training_computes_the_same(layer):
    x = prepared(layer)
    expected = ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x, training=True)), expected, atol=1e-12)


@pytest.mark.parametrize(("field_type", "group"), TYPES)
def test_norm_pooling_is_invariant(field_type, group):
    layer = layers.NormPooling(field_type, group=group, dtype="float64")
    assert layer.out_type == FieldType.scalars(layer.in_type.fields, group)
    assert law(layer) <= 1e-12
    x = prepared(layer)
    wrong = FieldType.scalars(x.shape[-1], group)  # negative control: the components are not invariant
    y = ops.convert_to_numpy(layer(x))
    assert y.shape[-1] == layer.in_type.fields < wrong.size


@pytest.mark.parametrize("mode", ["max", "mean"])
def test_field_pooling_is_group_pooling(mode):
    layer = layers.FieldPooling("2x0+ + 3xregular + 2xquotient(C4)", mode, group="D4", dtype="float64")
    x = prepared(layer)
    y = ops.convert_to_numpy(layer(x))
    reduce = {"max": np.max, "mean": np.mean}[mode]
    regular = reduce(x[..., 2:26].reshape(2, 3, 4, 8, 3), axis=-2)
    cosets = reduce(x[..., 26:].reshape(2, 3, 4, 2, 2), axis=-2)
    np.testing.assert_allclose(y, np.concatenate([x[..., :2], regular, cosets], axis=-1), atol=1e-12)
    assert law(layer) <= 1e-12


def test_norm_activation_formula():
    layer = layers.NormActivation("2x0 + 1x2", group="SO2", dtype="float64")
    layer.build((None, 4))
    layer.bias.assign([0.5, -0.5, -1.0])
    y = ops.convert_to_numpy(layer(np.array([[1.0, 0.25, 3.0, 4.0], [-1.0, 2.0, 0.3, 0.4]])))
    np.testing.assert_allclose(y, [[1.5, 0.0, 2.4, 3.2], [0.0, 1.5, 0.0, 0.0]], atol=1e-12)


def test_gates_are_the_first_scalars_in_the_order_of_the_fields():
    layer = layers.GatedActivation("1x0 + 1x1 + 3x0 + 1x2", group="SO2", gate="linear", activation="linear")
    assert str(layer.out_type) == "1x1 + 2x0 + 1x2"
    y = ops.convert_to_numpy(layer(np.array([[2.0, 1.0, 1.0, 3.0, 5.0, 7.0, 1.0, 2.0]])))
    np.testing.assert_allclose(y, [[2.0, 2.0, 5.0, 7.0, 3.0, 6.0]])


@pytest.mark.parametrize(("field_type", "group"), TYPES)
def test_in_type_for_leads_back(field_type, group):
    in_type = layers.GatedActivation.in_type_for(field_type, group)
    assert layers.GatedActivation(in_type).out_type == FieldType.parse(field_type, group)


@pytest.mark.parametrize(
    ("irrep", "cosets"),
    [("0+", "2x0+"), ("0-", "C4"), ("2+", "r180,m"), ("2-", "r180,mr90"), ("1", "mr180"), ("regular", "2xregular")],
)
def test_concatenated_relu_changes_the_type_as_published(irrep, cosets):
    found = layers.ConcatenatedReLU(f"1x{irrep}", group="D4").out_type
    if "x" in cosets:
        assert str(found) == cosets
        return
    expected = FieldType.parse(f"quotient({cosets})", "D4")
    assert found.permutation and found.size == expected.size
    characters = [t.blocks[0].representation.character for t in (found, expected)]
    np.testing.assert_array_equal(*characters)


def test_concatenated_relu_keeps_both_parts():
    layer = layers.ConcatenatedReLU("2x0+ + 3x1", group="D4")
    x = np.random.default_rng(0).normal(size=(5, 8)).astype("float32")
    y = ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(np.sort(y), np.sort(np.concatenate([np.maximum(x, 0), np.maximum(-x, 0)], -1)))


@pytest.mark.parametrize(
    ("field_type", "group", "grids"),
    [
        ("2x0 + 2x1 + 2x2", "SO2", ["C8", "C16", "C64", "C256"]),
        ("2x0+ + 2x0- + 4x1 + 4x2", "O2", ["D8", "D16", "D64"]),
        ("2x0+ + 2x1 + 2x2", "O2", ["D8", "D16", "D64"]),
    ],
)
def test_finer_grids_are_more_equivariant(field_type, group, grids):
    found = [law(layers.FourierActivation(field_type, group=group, grid=grid, dtype="float64")) for grid in grids]
    assert all(finer < coarser for coarser, finer in zip(found, found[1:], strict=False)), found
    assert found[0] > 1e-2 and found[-1] < found[0] / 10, found


@pytest.mark.parametrize(
    ("field_type", "group"),
    [("2x0 + 2x1 + 2x2", "SO2"), ("2x0+ + 2x0- + 4x1", "O2"), ("2x0+ + 2x1 + 2x2", "O2"), ("2x0+ + 2x1", "D4")],
)
def test_fourier_is_exact_on_its_grid(field_type, group):
    layer = layers.FourierActivation(field_type, group=group, dtype="float64")
    x = prepared(layer)
    for matrix in groups.get("C4" if group == "SO2" else "D4").matrices:
        found = ops.convert_to_numpy(layer(layer.in_type.transform(x, matrix)))
        expected = layer.in_type.transform(ops.convert_to_numpy(layer(x)), matrix)
        np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize(("field_type", "group"), [("3x0 + 3x1 + 3x2", "SO2"), ("2x0+ + 2x0- + 4x1 + 4x2", "O2")])
def test_fourier_without_activation_changes_nothing(field_type, group):
    layer = layers.FourierActivation(field_type, group=group, activation="linear", dtype="float64")
    x = prepared(layer)
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)), x, atol=1e-12)


def test_fourier_on_all_irreps_is_pointwise_on_the_regular_field():
    """On a finite group nothing is cut off: the same activation in another basis."""
    group = groups.get("D4")
    layer = layers.FourierActivation("1x0+ + 1x0- + 2x1 + 1x2+ + 1x2-", group=group, dtype="float64")
    x = prepared(layer)
    change = layer._sampling / np.sqrt(8)
    np.testing.assert_allclose(change.T @ change, np.eye(8), atol=1e-12)
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)), np.maximum(x @ change.T, 0) @ change, atol=1e-12)


def test_tensor_product_types():
    def out(field_type, group, **options):
        return str(layers.TensorProductActivation(field_type, group=group, **options).out_type)

    assert out("8x0 + 8x1", "SO2") == "16x0 + 8x1"
    assert out("8x0 + 8x1", "SO2", max_frequency=2) == "16x0 + 8x1 + 8x2"
    assert out("4x1", "O2", max_frequency=2) == "4x0+ + 4x2"  # the determinant of a vector with itself vanishes
    assert out("4x1 + 3x2", "SO2", max_frequency=9) == "7x0 + 4x2 + 3x4"
    assert out("4x1 + 4x1", "O2", max_frequency=0) == "12x0+ + 4x0-"


def test_tensor_product_holds_the_square_of_a_vector():
    layer = layers.TensorProductActivation("1x1", group="SO2", max_frequency=0, dtype="float64")
    y = ops.convert_to_numpy(layer(np.array([[3.0, 4.0]])))
    np.testing.assert_allclose(np.abs(y), [[25 / np.sqrt(2)]])


POOLED = [
    ("3x0 + 2x1 + 2x3", "SO2", {}),
    ("3x0+ + 2x0- + 2x1", "O2", {"pool_size": 3, "strides": 1, "padding": "same"}),
    ("2xregular + 2x1", "D4", {"pool_size": 3, "strides": 2, "padding": "same", "size": 9}),
]


@pytest.mark.parametrize(("field_type", "group", "options"), POOLED)
def test_norm_max_pooling_picks_the_longest(field_type, group, options):
    options = dict(options)
    size = options.pop("size", 8)
    layer = layers.NormMaxPooling2D(field_type, group=group, dtype="float64", **options)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, size, size, layer.in_type.size)) * 1e-5  # small, too
    y = ops.convert_to_numpy(layer(x))
    (k, _), (s, _) = layer.pool_size, layer.strides
    before = (max((-(-size // s) - 1) * s + k - size, 0) // 2) if layer.padding == "same" else 0
    for row, column in np.ndindex(*y.shape[1:3]):
        rows, columns = (slice(max(i * s - before, 0), i * s - before + k) for i in (row, column))
        window = x[:, rows, columns].reshape(2, -1, x.shape[-1])
        for block in layer.in_type.blocks:
            fields = window[..., block.start : block.stop].reshape(*window.shape[:2], block.dim, -1)
            longest = np.argmax((fields**2).sum(axis=2), axis=1)
            expected = np.take_along_axis(fields, longest[:, None, None], axis=1)[:, 0].reshape(2, -1)
            np.testing.assert_allclose(y[:, row, column, block.start : block.stop], expected, rtol=1e-12)


def test_norm_max_pooling_of_equal_norms_is_their_mean():
    layer = layers.NormMaxPooling2D("1x1", group="O2", dtype="float64")
    x = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, -1.0], [0.1, 0.2]]).reshape(1, 2, 2, 2)
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)).ravel(), [1 / 3, 0], atol=1e-15)
    for element in range(8):
        moved = groups.act(x, "D4", element, layer.in_type)
        expected = groups.act(ops.convert_to_numpy(layer(x)), "D4", element, layer.in_type)
        np.testing.assert_allclose(ops.convert_to_numpy(layer(moved)), expected, atol=1e-15)


def test_norm_max_pooling_refuses_broken_sizes():
    layer = layers.NormMaxPooling2D("1x1", group="SO2")
    with pytest.raises(ValueError, match="does not cover the 9 pixels of H and W"):
        layer.build((None, 9, 9, 2))
    with pytest.raises(ValueError, match="needs a known size"):
        layers.NormMaxPooling2D("1x1", group="SO2", pool_size=3, strides=2, padding="same").build((None, None, None, 2))
    with pytest.warns(UserWarning, match="only approximately"):
        layers.NormMaxPooling2D("1x1", group="SO2", strict=False).build((None, 9, 9, 2))


def test_norm_max_pooling_of_unknown_sizes():
    inputs = keras.Input((None, None, 2))
    model = keras.Model(inputs, layers.NormMaxPooling2D("1x1", group="SO2")(inputs))
    assert model(np.ones((1, 6, 8, 2), "float32")).shape == (1, 3, 4, 2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.AveragePooling2D(2, antialias=True),
        lambda: layers.AveragePooling2D(2),
        lambda: layers.UpSampling2D(2, interpolation="bilinear"),
        lambda: layers.UpSampling2D(2),
    ],
)
def test_linear_poolings_commute_with_every_type(make):
    """Channel by channel and linear: stock arithmetic on typed features, the rotation of the fiber alone and whole."""
    layer, field_type = make(), FieldType.parse("2x0+ + 1x0- + 2x1 + 1x3", "O2")
    x = np.random.default_rng(0).normal(size=(2, 8, 8, field_type.size)).astype("float32")
    y = ops.convert_to_numpy(layer(x))
    for matrix in elements("O2"):
        moved = ops.convert_to_numpy(layer(field_type.transform(x, matrix)))
        np.testing.assert_allclose(moved, field_type.transform(y, matrix), atol=1e-5)
    for element in range(8):
        moved = ops.convert_to_numpy(layer(groups.act(x, "D4", element, field_type)))
        np.testing.assert_allclose(moved, groups.act(y, "D4", element, field_type), atol=1e-5)
    wrong = groups.act(y, "D4", 1, "image")  # negative control: pixels only
    assert np.abs(ops.convert_to_numpy(layer(groups.act(x, "D4", 1, field_type))) - wrong).max() > 0.1


ERRORS = [
    (lambda: layers.GatedActivation("2x0 + 4x1 + 3x2", group="SO2"), r'use in_type="7x0 \+ 4x1 \+ 3x2"'),
    (lambda: layers.PointwiseActivation("2x1", group="SO2"), "mixes its components; use NormActivation"),
    (lambda: layers.FieldPooling("2x0 + 2x1", group="SO2"), "use NormPooling"),
    (lambda: layers.FieldPooling("2x0", "median", group="SO2"), "`mode` must be one of"),
    (lambda: layers.ConcatenatedReLU("2x1", group="SO2"), "permuted up to sign"),
    (lambda: layers.ConcatenatedReLU("2x0- + 1x1", group="O2"), "permuted up to sign"),
    (lambda: layers.ConcatenatedReLU("2x1", group="D8"), "permuted up to sign"),
    (lambda: layers.FourierActivation("8x0 + 4x1", group="SO2"), r'use "8x0 \+ 8x1"'),
    (lambda: layers.FourierActivation("8x1", group="SO2"), r'use "8x0 \+ 8x1"'),
    (lambda: layers.FourierActivation("4x0+ + 6x1", group="O2"), r'use "4x0\+ \+ 8x1"'),
    (lambda: layers.FourierActivation("2xregular", group="D4"), "takes functions on the group"),
    (lambda: layers.FourierActivation("8x0 + 8x3", group="SO2", grid="C6"), 'use "C16"'),
    (lambda: layers.FourierActivation("8x0 + 8x1", group="SO2", grid="D8"), "finite subgroup of SO2"),
    (lambda: layers.FourierActivation("8x0 + 8x1", group="C4", grid="C8"), "finite subgroup of C4"),
    (lambda: layers.TensorProductActivation("2xregular", group="D4"), "takes irreps"),
    (lambda: layers.TensorProductActivation("2x1", group="O2", max_frequency=-1), "`max_frequency` must be"),
    (lambda: layers.NormActivation("2x1", group="O2", epsilon=0), "`epsilon` must be a positive number"),
    (lambda: layers.NormActivation("2x1"), "needs the `group`"),
    (lambda: layers.NormActivation("2x1", group="O2").build((None, 5)), r'takes features \(..., 4\) of type "2x1"'),
]


@pytest.mark.parametrize(("make", "message"), ERRORS)
def test_errors_name_the_remedy(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_types_are_checked_along_the_graph():
    x = layers.SteerableConv2D("3x0", "4x0 + 4x1", 3, group="SO2")(keras.Input((9, 9, 3)))
    with pytest.raises(ValueError, match='give the layer in_type="4x0 \\+ 4x1"'):
        layers.NormActivation("12x0", group="SO2")(x)
    gated = layers.GatedActivation("4x0 + 4x1", group="SO2")(x)
    pooled = layers.NormPooling("4x1", group="SO2")(gated)
    assert pooled.shape == (None, 7, 7, 4)


@pytest.mark.tensorflow
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.NormActivation("3x0 + 2x1", group="SO2", bias_initializer="ones"),
        lambda: layers.NormPooling("3x0 + 2x1 + 1x1", group="SO2"),
        lambda: layers.GatedActivation("3x0 + 2x1", group="SO2"),
        lambda: layers.FourierActivation("2x0 + 2x1", group="SO2"),
        lambda: layers.TensorProductActivation("2x0 + 2x1", group="SO2"),
        lambda: layers.NormMaxPooling2D("2x0 + 2x1", group="SO2"),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
def test_gradients_at_zero_and_at_large_values_are_finite(make, training, dtype):
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    inputs = keras.Input((4, 4, make().in_type.size))
    layer = make()
    layer.dtype_policy = keras.DTypePolicy(dtype)
    model = keras.Model(inputs, layer(inputs))
    large = 100.0 if "Tensor" in type(layer).__name__ else 1000.0  # a square must fit into the type of the result
    for value in (0.0, large):
        x = tf.fill((1, 4, 4, inputs.shape[-1]), tf.constant(value))
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = model(x, training=training)
            loss = tf.reduce_sum(tf.cast(y, "float32"))
        assert np.isfinite(y.numpy()).all()
        for gradient in tape.gradient(loss, [x, *model.trainable_weights]):
            assert np.isfinite(gradient.numpy()).all()


def test_layers_of_a_network_are_equivariant_together():
    inputs = keras.Input((9, 9, 2), dtype="float64")
    options = {"group": "O2", "dtype": "float64"}
    gated = layers.GatedActivation.in_type_for("4x0+ + 2x2 + 4x1", "O2")
    x = layers.SteerableConv2D("2x0+", gated, 5, padding="same", group="O2", dtype="float64")(inputs)
    x = layers.GatedActivation(gated, dtype="float64")(x)
    x = layers.SteerableConv2D("4x0+ + 2x2 + 4x1", "4x0+ + 4x0- + 8x1", 4, **options)(x)
    x = layers.FourierActivation("4x0+ + 4x0- + 8x1", **options)(x)
    x = layers.NormMaxPooling2D("4x0+ + 4x0- + 8x1", **options)(x)
    x = layers.TensorProductActivation("4x0+ + 4x0- + 8x1", **options)(x)
    x = layers.NormPooling(x._keras_history.operation.out_type, dtype="float64")(x)
    model = keras.Model(inputs, x)
    images = np.random.default_rng(0).normal(size=(2, 9, 9, 2))
    y = ops.convert_to_numpy(model(images))
    for element in range(8):
        moved = ops.convert_to_numpy(model(groups.act(images, "D4", element, "image")))
        np.testing.assert_allclose(moved, groups.act(y, "D4", element, "image"), rtol=1e-12, atol=1e-12)
    assert ke.fold(model).output_shape == model.output_shape
