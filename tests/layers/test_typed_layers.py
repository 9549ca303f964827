"""Layers on field types against their laws at any element, and against stock Keras layers where those say the same."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_equivariant as ke
from keras_equivariant import groups
from keras_equivariant.layers import (
    FieldDropout,
    FlattenFields,
    GroupConv2D,
    Restrict,
    SteerableBatchNormalization,
    SteerableConv2D,
    SteerableConv2DTranspose,
    SteerableDense,
    SteerableGroupNormalization,
    SteerableInstanceNormalization,
    SteerableLayerNormalization,
    UnflattenFields,
)

MIRROR = np.diag([-1.0, 1.0])


def rotation(angle):
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def elements(group):
    """Random elements of a group of the plane; all of a finite one."""
    group = groups.get(group)
    if not isinstance(group, groups.ContinuousGroup):
        return group.matrices
    rotations = [rotation(angle) for angle in np.random.default_rng(5).uniform(0, 2 * np.pi, size=5)]
    return [*rotations, *(MIRROR @ matrix for matrix in rotations)] if group.mirrors else rotations


def filled(layer, x, **kwargs):
    """The layer with random weights (variances stay positive), and what it makes of x as a NumPy array."""
    rng = np.random.default_rng(3)
    layer(x)
    layer.set_weights([rng.uniform(0.3, 1.0, size=w.shape) for w in layer.weights])

    def function(x):
        return ops.convert_to_numpy(layer(ops.convert_to_tensor(x, dtype="float64"), **kwargs))

    return function


def features(field_type, lead=(4, 3, 5), seed=0):
    return np.random.default_rng(seed).normal(size=(*lead, field_type.size)) + 0.3


TYPES = [
    ("SO2", "4x0 + 2x1 + 2x3"),
    ("O2", "2x0+ + 2x0- + 4x1 + 2x2"),
    ("D4", "2xregular + 2xquotient(C2) + 2xinduced(C4,1) + 4xinduced(C2,0) + 2x0-"),
    ("C8", "2xregular + 2x3 + 4x0"),
]
MAKERS = {
    "dense": lambda t: SteerableDense(t, t, dtype="float64"),
    "batch": lambda t: SteerableBatchNormalization(t, dtype="float64"),
    "layer": lambda t: SteerableLayerNormalization(t, dtype="float64"),
    "group": lambda t: SteerableGroupNormalization(t, groups=2, dtype="float64"),
    "instance": lambda t: SteerableInstanceNormalization(t, dtype="float64"),
    "dropout": lambda t: FieldDropout(t, 0.5, seed=1, dtype="float64"),
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize(("group", "text"), TYPES)
def test_law_at_every_element(maker, group, text, training):
    """The fibers alone rotate: these layers do not touch space, so that the law is exact for every angle."""
    field_type = ke.FieldType.parse(text, group)
    layer = MAKERS[maker](field_type)
    x = features(field_type)
    kwargs = {"training": training} if maker in ("batch", "dropout") else {}
    function = filled(layer, x, **kwargs)

    def run(x):
        before = [np.array(ops.convert_to_numpy(v)) for v in layer.variables]
        y = function(x)
        for variable, value in zip(layer.variables, before, strict=True):
            variable.assign(value)  # moving statistics, and what is dropped next, as before
        return y

    y = run(x)
    scale = np.abs(y).max()
    for matrix in elements(group):
        moved = run(field_type.transform(x, matrix))
        assert np.abs(moved - field_type.transform(y, matrix)).max() <= 1e-12 * scale
    assert np.abs(moved - y).max() > 1e-2 * scale  # negative control


@pytest.mark.parametrize("maker", ["dense", "batch", "layer", "group"])
def test_vectors_without_space(maker):
    field_type = ke.FieldType.parse("4x0 + 2x1", "SO2")
    x = features(field_type, (6,))
    layer = MAKERS[maker](field_type)
    assert layer(x).shape == x.shape


@pytest.mark.parametrize(
    ("group", "text", "subgroup"),
    [
        ("D8", "2xregular + 1x1 + 1x3 + 1x4+ + 1xquotient(C4)", "D4"),
        ("D4", "2xregular + 1x1 + 1x2- + 1x0-", "D1"),
        ("D8", "1xinduced(C4,1) + 2xregular", "C4"),
        ("O2", "2x0+ + 1x0- + 2x1 + 1x3", "SO2"),
        ("O2", "1x0- + 2x1 + 1x4", "D4"),
        ("SO2", "2x1 + 1x4 + 1x6", "C4"),
    ],
)
def test_restriction(group, text, subgroup):
    old = ke.FieldType.parse(text, group)
    layer = Restrict(old, subgroup, dtype="float64")
    new, x = layer.out_type, features(old)
    assert new.group == groups.get(subgroup)
    assert new.size == old.size
    y = ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(np.sum(y**2), np.sum(x**2), rtol=1e-12)
    errors = []
    for matrix in elements(subgroup):
        moved = ops.convert_to_numpy(layer(old.transform(x, matrix)))
        assert np.abs(moved - new.transform(y, matrix)).max() <= 1e-12 * np.abs(y).max()
        errors.append(np.abs(moved - y).max())
    assert max(errors) > 1e-2


def test_restriction_chain_down_to_mirrors():
    """D8 -> D4 -> D1 is D8 -> D1, but for the order of the fields."""
    x = features(ke.FieldType.parse("2xregular", "D8"))
    first = Restrict("2xregular", "D4", group="D8")
    second = Restrict(first.out_type, "D1")
    assert str(first.out_type) == "4xregular"
    assert str(second.out_type) == str(Restrict("2xregular", "D1", group="D8").out_type) == "16xregular"
    y = ops.convert_to_numpy(second(first(x.astype("float32"))))
    np.testing.assert_array_equal(np.sort(y), np.sort(x.astype("float32")))


def test_restriction_that_changes_nothing_folds_to_nothing():
    layer = Restrict("2x0 + 1x1", "C8", group="SO2")
    assert layer.fold((None, 5, 5, 4)) == []
    assert str(layer.out_type) == "2x0 + 1x1"


@pytest.mark.parametrize(("group", "size"), [("D4", 7), ("C4", 6)])
def test_transposed_convolution_is_the_adjoint(group, size):
    """<conv(x), y> = <x, conv_transpose(y)> with the same kernel read the other way."""
    small = ke.FieldType.parse("1xregular + 1x1", group)
    large = ke.FieldType.parse("2x1 + 1x0" if group == "C4" else "2x1 + 1x0+", group)
    kernel = 3 if size % 2 else 4
    options = {"strides": 2, "use_bias": False, "dtype": "float64"}
    down = SteerableConv2D(small, large, kernel, **options)
    up = SteerableConv2DTranspose(large, small, kernel, **options)
    x = features(small, (1, size, size))
    z = ops.convert_to_numpy(down(x))
    y = np.random.default_rng(1).normal(size=z.shape)
    found = ops.convert_to_numpy(
        ops.conv_transpose(
            ops.convert_to_tensor(y, dtype="float64"), down.expanded_kernel(), strides=2, padding="valid"
        )
    )
    np.testing.assert_allclose(np.sum(z * y), np.sum(x * found), rtol=1e-10)
    # That map is one of the layer's: its kernel, out axis first, lies in the space that the layer's basis spans.
    wanted = ops.convert_to_numpy(down.expanded_kernel())
    up.build(y.shape)
    assert up.kernel.shape[0] == down.kernel.shape[0]
    columns = []
    for unit in np.eye(up.kernel.shape[0]):
        up.kernel.assign(unit)
        columns.append(ops.convert_to_numpy(up.expanded_kernel()).ravel())
    columns = np.stack(columns, axis=1)
    rest = columns @ np.linalg.lstsq(columns, wanted.ravel(), rcond=None)[0] - wanted.ravel()
    assert np.abs(rest).max() <= 1e-12


def test_dense_has_one_map_per_pair_of_equal_irreps():
    """Two per pair of planes on SO(2), which commutes with its own rotations, one on O(2)."""
    sizes = {"SO2": 2 * 3 + 2 * 2 * 3, "O2": 2 * 3 + 2 * 3}
    for group, size in sizes.items():
        scalar = "0+" if group == "O2" else "0"
        layer = SteerableDense(f"2x{scalar} + 2x1", f"3x{scalar} + 3x1", group=group)
        layer.build((None, 6))
        assert layer.kernel.shape == (size,)
    layer = SteerableDense("2xregular", "3xregular", group="D4")
    layer.build((None, 16))
    assert layer.kernel.shape == (2 * 3 * 8,)


def test_dense_keeps_the_second_moment():
    field_type = ke.FieldType.parse("32x0 + 32x1 + 32x2", "SO2")
    layer = SteerableDense(field_type, field_type, kernel_initializer="lecun_normal")
    y = ops.convert_to_numpy(layer(np.random.default_rng(0).normal(size=(512, field_type.size)).astype("float32")))
    for block in field_type.blocks:
        assert 0.7 < np.mean(y[:, block.start : block.stop] ** 2) < 1.4


REGULAR = ke.FieldType.parse("4xregular", "D4")


@pytest.mark.parametrize(
    ("ours", "stock"),
    [
        (
            lambda: SteerableGroupNormalization(REGULAR, groups=2, dtype="float64"),
            lambda: keras.layers.GroupNormalization(groups=2, dtype="float64"),
        ),
        (
            lambda: SteerableInstanceNormalization(REGULAR, dtype="float64"),
            lambda: keras.layers.GroupNormalization(groups=-1, dtype="float64"),
        ),
        (
            lambda: SteerableLayerNormalization("4x0", "SO2", dtype="float64"),
            lambda: keras.layers.LayerNormalization(dtype="float64"),
        ),
    ],
)
def test_sample_normalizations_equal_the_stock_ones(ours, stock):
    ours, stock = ours(), stock()
    x = np.random.default_rng(0).normal(2.0, 3.0, size=(3, 5, 6, ours.in_type.blocks[0].dim, 4))
    stock(x)
    ours.build((3, 5, 6, ours.in_type.size))
    weights = [np.random.default_rng(i).normal(size=4) for i in range(2)]
    stock.set_weights(weights)
    ours.set_weights(weights)
    y = ops.convert_to_numpy(ours(x.reshape(3, 5, 6, -1))).reshape(x.shape)
    np.testing.assert_allclose(y, ops.convert_to_numpy(stock(x)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("training", [False, True])
def test_batch_normalization_of_regular_fields_is_the_stock_one(training):
    ours = SteerableBatchNormalization("4xregular", "D4", epsilon=1e-2, momentum=0.9, activation="relu")
    stock = keras.layers.BatchNormalization(epsilon=1e-2, momentum=0.9)
    x = np.random.default_rng(0).normal(2.0, 3.0, size=(3, 5, 6, 8, 4)).astype("float32")
    stock.build(x.shape)
    ours.build((3, 5, 6, 32))
    weights = [np.random.default_rng(i).uniform(0.5, 2.0, size=4) for i in range(4)]
    stock.set_weights(weights)
    ours.set_weights(weights)
    y = ops.convert_to_numpy(ours(x.reshape(3, 5, 6, -1), training=training)).reshape(x.shape)
    expected = ops.convert_to_numpy(ops.relu(stock(x, training=training)))
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    for own, other in zip(ours.get_weights(), stock.get_weights(), strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-5)


def test_batch_normalization_of_vectors_divides_by_their_norm():
    """|y|^2 is dim on average, and no mean is subtracted."""
    layer = SteerableBatchNormalization("3x1", "SO2", epsilon=1e-9, dtype="float64")
    x = np.random.default_rng(0).normal(2.0, 3.0, size=(64, 6))
    y = ops.convert_to_numpy(layer(x, training=True))
    ratio = (y / x).reshape(64, 2, 3)
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:1, :1], ratio.shape), rtol=1e-9)
    np.testing.assert_allclose(np.mean(np.sum(y.reshape(64, 2, 3) ** 2, axis=1), axis=0), 2.0, rtol=1e-6)
    assert layer.moving_mean is None


@pytest.mark.tensorflow
@pytest.mark.parametrize("activation", [None, "relu"])
def test_compiled_batch_normalization_has_the_gradient_of_the_plain_one(activation):
    import tensorflow as tf

    from keras_equivariant.ops import fields, normalization

    text = "3xregular + 2xquotient(C2)" if activation else "2x0+ + 3x1 + 2xregular + 2xinduced(C2,0) + 1x0-"
    field_type = ke.FieldType.parse(text, "D4")
    means = fields.FieldMeans(field_type.blocks)
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(1.0, 2.0, size=(4, 3, 5, field_type.size)))
    layout = tuple((block.dim, block.multiplicity) for block in field_type.blocks)
    gamma = tf.constant(rng.uniform(0.5, 1.5, size=field_type.fields))
    beta = tf.constant(rng.normal(size=field_type.size))
    upstream = tf.constant(rng.normal(size=x.shape))
    function = keras.activations.get(activation)

    def compiled(x, gamma, beta):
        spread = fields.spread(gamma, layout)
        return normalization.normalize_with_statistics(x, spread, beta, 1e-3, function, means)[0]

    def plain(x, gamma, beta):
        mean, variance = fields.batch_moments(x, means)
        return function((x - mean) * fields.spread(gamma, layout) * ops.rsqrt(variance + 1e-3) + beta)

    results = []
    for run in (compiled, plain):
        with tf.GradientTape() as tape:
            tape.watch([x, gamma, beta])
            y = run(x, gamma, beta)
        results.append([y, *tape.gradient(y, [x, gamma, beta], output_gradients=upstream)])
    for own, expected in zip(*results, strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-9, atol=1e-9)


def test_moving_statistics_of_general_fields():
    """After many equal batches inference gives what training gave."""
    field_type = ke.FieldType.parse("2xinduced(C2,0) + 1xquotient(C2) + 2x1 + 1x0+", "D4")
    assert [len(block.invariants) for block in field_type.blocks][:1] == [1]
    layer = SteerableBatchNormalization(field_type, momentum=0.0, dtype="float64")
    x = features(field_type)
    trained = ops.convert_to_numpy(layer(x, training=True))
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x, training=False)), trained, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("spatial", [False, True])
def test_dropout_drops_whole_fields(spatial):
    field_type = ke.FieldType.parse("8x0 + 8x1 + 8x2", "SO2")
    layer = FieldDropout(field_type, 0.25, spatial=spatial, seed=1)
    x = np.ones((16, 6, 6, field_type.size), "float32")
    y = ops.convert_to_numpy(layer(x, training=True))
    kept = [(part != 0) for part in np.split(y, [8, 16, 24, 32], axis=-1)]
    np.testing.assert_array_equal(kept[1], kept[2])
    np.testing.assert_array_equal(kept[3], kept[4])
    assert (kept[0] != kept[1]).any()
    same = (y == y[:, :1, :1]).all()
    assert same if spatial else not same
    np.testing.assert_allclose(np.unique(y), [0.0, 1 / 0.75], rtol=1e-6)
    assert 0.65 < np.mean(y != 0) < 0.85
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(x)), x)


def test_group_convolutions_and_field_types_in_one_network():
    inputs = keras.Input((9, 9, 2))
    x = ke.layers.LiftingConv2D(3, 3, "D4", padding="same")(inputs)
    wide = ke.layers.LiftingConv2D(2, 3, "D4", padding="same")(inputs)
    regular = keras.layers.Concatenate()([x, wide])
    flat = FlattenFields("D4")
    typed = flat(regular)
    assert str(flat.out_type) == "5xregular"
    y = SteerableBatchNormalization(flat.out_type)(typed)
    y = SteerableConv2D(flat.out_type, "3xregular", 3, padding="same", activation="relu")(y)
    z = SteerableBatchNormalization("3xregular", "D4")(y)
    back = UnflattenFields("3xregular", group="D4")(z)
    conv = GroupConv2D(4, 3, "D4", padding="same")
    outputs = [conv(back), SteerableDense("3xregular", "2x0+", group="D4")(z), ke.layers.GroupPooling("max")(regular)]
    model = keras.Model(inputs, outputs)
    rng = np.random.default_rng(0)
    for layer in model.layers:
        layer.set_weights([rng.uniform(0.2, 0.8, size=w.shape) for w in layer.weights])
    folded = ke.fold(model)
    image = rng.normal(size=(2, 9, 9, 2)).astype("float32")
    for own, expected in zip(folded(image), model(image), strict=True):
        expected = ops.convert_to_numpy(expected)
        own = ops.convert_to_numpy(own).reshape(expected.shape)
        np.testing.assert_allclose(own, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_normalization_merges_into_the_convolution_before_it():
    inputs = keras.Input((9, 9, 2))
    x = ke.layers.LiftingConv2D(3, 3, "D4", padding="same")(inputs)
    x = FlattenFields("D4")(x)
    x = SteerableBatchNormalization("3xregular", "D4")(x)
    x = UnflattenFields("3xregular", "D4")(x)
    x = GroupConv2D(4, 3, "D4")(x)
    folded = ke.fold(keras.Model(inputs, ke.layers.GroupPooling("max")(x)))
    kinds = [type(layer).__name__ for layer in folded.layers]
    assert kinds == ["InputLayer", "Conv2D", "Identity", "Conv2D", "Reshape"]  # the last is of the pooling


def test_wrong_type_is_refused_after_flattening():
    regular = keras.Input((5, 5, 8, 2))
    x = FlattenFields("D4")(regular)
    with pytest.raises(ValueError, match='of type "2xregular" on D4'):
        SteerableDense("16x0+", "2x0+", group="D4")(x)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SteerableDense("2x0", "1x1", "SO2"), 'none in common with "1" on SO2'),
        (lambda: SteerableDense("2x1", "1x1", "SO2", activation="relu"), "NormActivation"),
        (lambda: SteerableConv2D("2x0", "1x1", 1, "SO2"), "use a larger kernel, or leave"),
        (lambda: SteerableConv2D("2x0", "1x5", 3, "SO2"), 'frequency_cutoff="nyquist"'),
        (lambda: SteerableConv2DTranspose("2x0", "2x0", 4, "C4", groups=2), "SteerableConv2D\\(groups"),
        (lambda: SteerableConv2DTranspose("2x0", "2x0", 4, "C4", output_padding=1), "smaller than `strides`"),
        (
            lambda: SteerableConv2DTranspose("2x0", "2x0", 3, "C4", strides=2, padding="same").build((1, 4, 4, 2)),
            "kernel_size=4",
        ),
        (lambda: SteerableGroupNormalization("3x0 + 4x1", 2, "SO2"), "`groups` must divide"),
        (lambda: SteerableGroupNormalization("4x0", "SO2", "SO2"), "names a symmetry"),
        (lambda: SteerableGroupNormalization("4x0", 0, "SO2"), "positive integer, or -1"),
        (lambda: SteerableBatchNormalization("4x1", "SO2", activation="relu"), "permuted"),
        (lambda: SteerableBatchNormalization("4x1", "SO2", epsilon=0), "`epsilon` must be a positive number"),
        (lambda: SteerableBatchNormalization("4x1", "SO2").build((1, 5, 5, 4)), "takes features"),
        (lambda: SteerableInstanceNormalization("4x1", "SO2").build((1, 8)), "SteerableLayerNormalization"),
        (lambda: FieldDropout("4x1", 1.5, "SO2"), "from 0 to 1"),
        (lambda: Restrict("4x1", "D4", "SO2"), "must be contained in SO2"),
        (lambda: FlattenFields("SO2"), "finite group"),
        (lambda: FlattenFields("D4").build((1, 5, 5, 4, 3)), "regular features of shape"),
        (lambda: UnflattenFields("2xregular + 1x0+", "D4"), "one block of regular fields"),
    ],
)
def test_errors(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_larger_kernel_is_a_remedy_only_where_it_reaches_every_field():
    """The rings of `"escnn"` on two voxels lie where a scalar has no kernel."""
    layer = ke.layers.SteerableConv3DTranspose(
        "1x0 + 1x1", "1x0 + 1x1", 1, "SO3", strides=2, padding="valid", use_bias=False, ring_radii="escnn"
    )
    with pytest.raises(ValueError, match="exact symmetry") as caught:
        layer.build((None, 3, 1, 1, 4))
    assert "kernel_size=2" not in str(caught.value) and "use " in str(caught.value)
