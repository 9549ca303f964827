"""A network on a subgroup computes what it came from, keeps the subgroup's symmetry and, once trained, no other."""

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant import layers as L

pytestmark = pytest.mark.tensorflow


def shuffled(model, seed=0):
    """The model with weights that leave nothing at its initial zeros and ones."""
    rng = np.random.default_rng(seed)

    def fresh(w):
        return rng.uniform(0.3, 1.0, w.shape) if w.ndim == 1 else w + 0.1 * rng.normal(size=w.shape)

    model.set_weights([fresh(w) if w.dtype.kind == "f" else w for w in model.get_weights()])
    for layer in model.layers:
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
    return model


def answers(model, shape, seed=2):
    x = np.random.default_rng(seed).normal(size=(2, *shape))
    return keras.ops.convert_to_numpy(model(x, training=False))


def check(model, subgroup, tolerance=1e-12):
    """The restricted network, after comparing its answers and those of its copy made from the config."""
    shuffled(model)
    small = ke.restrict(model, subgroup)
    shape = model.input_shape[1:]
    wanted, found = answers(model, shape), answers(small, shape)
    assert np.abs(found - wanted).max() <= tolerance * np.abs(wanted).max()
    assert small.count_params() >= model.count_params()
    restored = keras.models.model_from_json(small.to_json())
    restored.set_weights(small.get_weights())
    np.testing.assert_allclose(answers(restored, shape), found, rtol=1e-12, atol=1e-12 * np.abs(found).max())
    return small


def invariance(model, group, tolerance=1e-12):
    """The largest relative change of the answer under the elements of a group that map the grid onto itself."""
    x = np.random.default_rng(3).normal(size=(1, *model.input_shape[1:]))
    y = keras.ops.convert_to_numpy(model(x))
    group = ke.groups.get(group)
    moved = [model(ke.groups.act(x, group, e, "image")) for e in group.grid_elements]
    return max(np.abs(keras.ops.convert_to_numpy(m) - y).max() for m in moved) / np.abs(y).max()


def relaxes(small, subgroup, group):
    assert invariance(small, group) <= 1e-12
    shuffled(small, seed=5)
    assert invariance(small, subgroup) <= 1e-12
    assert invariance(small, group) > 1e-3


def regular(group="D4", size=9, **options):
    """Lifting, group convolutions in several manners, normalizations, merges and pooling over the group."""
    x = image = keras.Input((size, size, 2))
    x = L.LiftingConv2D(4, 3, group, padding="same", **options)(x)
    x = L.BatchNormalization(activation="relu")(x)
    skip = x
    x = L.GroupConv2D(4, 3, group, padding="same", use_bias=False, **options)(x)
    x = keras.layers.Add()([x, skip])
    x = keras.layers.Concatenate()([keras.layers.BatchNormalization()(x), skip])
    x = keras.layers.Dropout(0.2)(keras.layers.Dense(6, activation="tanh")(x))
    x = L.AveragePooling2D(3, group=group)(x)
    x = L.GroupConv2D(4, 1, group, groups=2, **options)(x)
    x = L.GroupConv2DTranspose(2, 3, group, **options)(keras.layers.LeakyReLU()(x))
    return image, x


def test_regular_features():
    image, x = regular()
    x = keras.layers.GlobalMaxPooling2D()(L.GroupPooling("max")(x))
    small = check(keras.Model(image, keras.layers.Dense(3)(x)), "C4")
    assert small.layers[1].group.name == "C4" and small.layers[1].filters == 8
    relaxes(small, "C4", "D4")


@pytest.mark.parametrize("subgroup", ["D1", "Z2"])
def test_mean_over_the_group_and_no_symmetry_at_all(subgroup):
    image, x = regular()
    model = keras.Model(image, keras.layers.GlobalAveragePooling3D()(x))
    relaxes(check(model, subgroup), subgroup, "D4")


def test_group_axis_of_the_output_is_that_of_the_subgroup():
    model = shuffled(keras.Model(*regular("D4")))
    small = ke.restrict(model, "C4")
    wanted, found = answers(model, (9, 9, 2)), answers(small, (9, 9, 2))
    assert found.shape == (*wanted.shape[:-2], 4, 4)
    turns, mirrored = wanted[..., :4, :], wanted[..., [4, 7, 6, 5], :]  # r and (r, then mirrored) as a turn of it
    np.testing.assert_allclose(found[..., 0::2], turns, atol=1e-12 * np.abs(wanted).max())
    np.testing.assert_allclose(found[..., 1::2], mirrored, atol=1e-12 * np.abs(wanted).max())


@pytest.mark.parametrize(
    ("basis", "subgroup"), [("steerable", "C4"), ("bilinear", "C4"), ("learned", "D1"), ("steerable", "C2")]
)
def test_bases_that_are_not_exact(basis, subgroup):
    group = "D8" if subgroup == "D1" else "C8"
    x = image = keras.Input((9, 9, 1))
    x = L.GroupConv2D(2, 3, group, basis=basis)(L.LiftingConv2D(2, 3, group, basis=basis)(x))
    small = check(keras.Model(image, L.GroupPooling("max")(x)), subgroup, 1e-6)
    assert small.layers[1].group.name == ke.groups.get(subgroup).name


def test_a_kernel_that_the_subgroup_does_not_have():
    x = image = keras.Input((9, 9, 1))
    model = keras.Model(image, L.LiftingConv2D(2, 5, "C12", basis="bilinear")(x))
    with pytest.raises(ValueError, match=r"must lie on a basis of the subgroup.*misses.*such as C4"):
        ke.restrict(model, "C6")
    check(keras.Model(image, L.GroupPooling()(L.LiftingConv2D(2, 5, "C12")(x))), "C6", 1e-6)  # of harmonics it has


def test_pooling_over_cosets():
    image, x = regular()
    x = L.GroupPooling("max", group="D4", subgroup="C2")(x)
    model = keras.Model(image, L.GroupPooling("mean")(keras.layers.Dense(3)(x)))
    check(model, "C4")
    with pytest.raises(ValueError, match="restricted to a group that contains C2"):
        ke.restrict(model, "D1")


IRREPS = "2x0 + 2x1 + 2x2"


def gated(group="SO2"):
    x = image = keras.Input((9, 9, 1))
    inside = L.GatedActivation.in_type_for(IRREPS, group)
    x = L.SteerableConv2D("1x0", inside, 3, group, padding="same")(x)
    x = L.GatedActivation(inside)(L.SteerableBatchNormalization(inside)(x))
    x = keras.layers.Add()([x, L.SteerableConv2D(IRREPS, IRREPS, 3, group, padding="same", groups=2)(x)])
    x = L.NormActivation(IRREPS, group)(L.SteerableLayerNormalization(IRREPS, group)(x))
    x = L.FourierActivation(IRREPS, group=group)(x)
    x = L.SteerableDense(IRREPS, "3x0 + 1x1", group)(L.FieldDropout(IRREPS, rate=0.5, group=group)(x))
    x = L.SteerableConv2DTranspose("3x0 + 1x1", "2x0 + 1x1", 3, group)(x)
    return keras.Model(image, keras.layers.GlobalMaxPooling2D()(L.NormPooling("2x0 + 1x1", group)(x)))


@pytest.mark.parametrize("subgroup", ["C4", "C1"])
def test_irreps(subgroup):
    """On C4 the fields of frequency 2 fall apart, on C1 all do; the nonlinearities go on with whole fields."""
    small = check(gated(), subgroup, 1e-6)
    assert any(isinstance(layer, L.Unrestrict) for layer in small.layers)
    assert invariance(small, "C4") <= 1e-5
    shuffled(small)
    assert invariance(small, subgroup) <= 1e-12


def test_irreps_that_stay_whole_need_no_change_of_basis():
    x = image = keras.Input((9, 9, 1))
    x = L.NormActivation("2x0 + 2x1", "SO2")(L.SteerableConv2D("1x0", "2x0 + 2x1", 3, "SO2")(x))
    small = check(keras.Model(image, L.NormPooling("2x0 + 2x1", "SO2")(x)), "C8", 1e-6)
    assert [type(layer) for layer in small.layers[1:]] == [L.SteerableConv2D, L.NormActivation, L.NormPooling]


def permuting():
    kind = "2xregular + 1xquotient(C2) + 1x0+"
    x = image = keras.Input((9, 9, 1))
    x = L.SteerableConv2D("1x0+", kind, 3, "D4", activation="relu")(x)
    x = L.PointwiseActivation(kind, "elu", "D4")(L.SteerableBatchNormalization(kind, "D4")(x))
    x = keras.layers.Concatenate()([x, keras.layers.AveragePooling2D(3, 1, "same")(x)])
    x = L.SteerableConv2D(f"{kind} + {kind}", "2xregular", 3, "D4")(x)
    return image, x


def test_permuted_fields():
    image, x = permuting()
    x = L.FieldPooling("2xregular", group="D4")(x)
    relaxes(check(keras.Model(image, keras.layers.GlobalMaxPooling2D()(x)), "C4"), "C4", "D4")


def test_a_network_that_loses_symmetry_on_its_way():
    image, x = permuting()
    x = L.SteerableConv2D("4xregular", "2xregular", 3, "C4")(L.Restrict("2xregular", "C4", "D4")(x))
    x = keras.layers.GlobalMaxPooling2D()(L.FieldPooling("2xregular", group="C4")(x))
    model = keras.Model(image, x)
    for subgroup in ("C4", "C2"):
        check(model, subgroup)
    with pytest.raises(ValueError, match="contained in the group of every layer, or contain it"):
        ke.restrict(model, "D1")


def test_volumes_and_a_field_as_input():
    x = volume = keras.Input((5, 5, 5, 1))
    x = L.GroupConv3D(2, 3, "O")(L.MaxPooling3D(3, group="O", strides=1)(L.LiftingConv3D(2, 3, "O", padding="same")(x)))
    check(keras.Model(volume, L.GroupPooling("mean", group="O")(x)), "C4z")
    field = keras.Input((5, 5, 5, 3))
    x = L.SteerableConv3D("1x1", "2x0 + 1x1 + 1x2", 3, "SO3")(field)
    check(keras.Model(field, L.NormPooling("2x0 + 1x1 + 1x2", "SO3")(x)), "O", 1e-6)


def test_nested_and_shared_models_and_operations():
    inner_input = keras.Input((5, 5, 8, 3))
    inner = keras.Model(inner_input, L.GroupConv2D(3, 3, "D4", padding="same")(inner_input))
    a, b = keras.Input((5, 5, 1), name="a"), keras.Input((5, 5, 1), name="b")
    lift = L.LiftingConv2D(3, 3, "D4", padding="same")
    x = keras.ops.relu(keras.ops.add(inner(lift(a)), inner(inner(lift(b)))))
    model = shuffled(keras.Model([a, b], L.GroupPooling()(x)))
    small = ke.restrict(model, "C2", name="small")
    assert small.name == "small" and len([layer for layer in small.layers if isinstance(layer, keras.Model)]) == 1
    x = [np.random.default_rng(i).normal(size=(2, 5, 5, 1)) for i in range(2)]
    np.testing.assert_allclose(small(x), model(x), rtol=1e-10, atol=1e-10)


def test_specs_fold_and_certify_after_restriction():
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    model = shuffled(ke.build_from_spec("p4_cnn", filters=2))
    small = ke.restrict(model, "C2")
    wanted = answers(model, (28, 28, 1))
    np.testing.assert_allclose(answers(small, (28, 28, 1)), wanted, atol=1e-5 * np.abs(wanted).max())
    assert ke.certify(shuffled(small), group="C2").exact
    np.testing.assert_allclose(answers(ke.fold(small), (28, 28, 1)), answers(small, (28, 28, 1)), atol=1e-4)
    small.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert np.isfinite(small.train_on_batch(np.ones((2, 28, 28, 1), "float32"), np.array([1, 2])))


@pytest.mark.parametrize(
    ("group", "subgroup", "options"),
    [("D4", "C4", {"kernel_size": 3}), ("D4", "D2", {"kernel_size": 3}), ("C8", "C2", {"kernel_size": 5})],
)
def test_depthwise_convolutions(group, subgroup, options):
    image = keras.Input((9, 9, 2))
    x = L.LiftingConv2D(3, 3, group, padding="same", activation="relu")(image)
    y = L.LayerScale(0.5)(L.GroupDepthwiseConv2D(group=group, padding="same", activation="silu", **options)(x))
    x = L.GroupPooling("max")(keras.layers.Add()([x, y]))
    relaxes(check(keras.Model(image, keras.layers.GlobalAveragePooling2D()(x)), subgroup), subgroup, group)


@pytest.mark.parametrize("layer", [L.LiftingConv2D, L.GroupConv2D, L.GroupDepthwiseConv2D], ids=lambda c: c.__name__)
def test_an_activation_that_mixes_fields_is_refused(layer):
    """Softmax over the fields of D4 is not that over the fields of C4, of which there are twice as many."""
    image = keras.Input((7, 7, 2))
    x = image if layer is L.LiftingConv2D else L.LiftingConv2D(3, 3, "D4")(image)
    number = {} if layer is L.GroupDepthwiseConv2D else {"filters": 3}
    x = L.GroupPooling()(layer(kernel_size=3, group="D4", activation="softmax", **number)(x))
    with pytest.raises(ValueError, match='treat every field by itself.*"softmax".*GroupPooling'):
        ke.restrict(keras.Model(image, x), "C4")


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.LayerNormalization(),
        keras.layers.LayerNormalization(axis=[-1], center=False, epsilon=0.1),
        keras.layers.UnitNormalization(),
        keras.layers.RMSNormalization(),
        keras.layers.Softmax(),
        keras.layers.Activation("log_softmax"),
    ],
    ids=lambda layer: layer.name,
)
@pytest.mark.parametrize("subgroup", ["C4", "C1"])
def test_layers_over_all_fields(layer, subgroup):
    """Over C fields of D4 is not over the C n fields of a subgroup."""
    image = keras.Input((7, 7, 2))
    x = type(layer).from_config(layer.get_config())(L.LiftingConv2D(3, 3, "D4", padding="same")(image))
    x = L.GroupPooling("max")(L.GroupConv2D(2, 3, "D4")(x))
    restricted = check(keras.Model(image, keras.layers.GlobalAveragePooling2D()(x)), subgroup)
    if subgroup == "C4":
        assert ke.certify(restricted, layers=False, samples=1).verdict == "exact"


def test_layers_over_all_fields_on_volumes_and_unknown_sizes():
    volume = keras.Input((5, 5, 5, 1))
    x = keras.layers.LayerNormalization()(L.LiftingConv3D(2, 3, "O")(volume))
    check(keras.Model(volume, L.GroupPooling("max")(L.GroupConv3D(1, 3, "O")(x))), "T")
    image = keras.Input((None, None, 2))
    x = keras.layers.LayerNormalization()(L.LiftingConv2D(3, 3, "D4")(image))
    with pytest.raises(ValueError, match="LayerNormalization is restricted on known sizes.*without None"):
        ke.restrict(keras.Model(image, L.GroupPooling("max")(x)), "C4")


def _film(x, k):
    scale, shift = (keras.layers.Reshape((1, 1, 1, 3))(keras.layers.Dense(3)(k)) for _ in range(2))
    return keras.layers.Add()([keras.layers.Multiply()([x, scale]), shift])


def _map(x, k):
    """A gate for each pixel, made of features that are pooled over the group."""
    gate = keras.layers.Dense(1, activation="sigmoid")(L.GroupPooling("mean")(x))
    return keras.layers.Multiply()([keras.layers.Reshape((7, 7, 1, 1))(gate), x])


@pytest.mark.parametrize(
    "function",
    [
        _film,
        _map,
        lambda x, k: keras.layers.Multiply()([x, keras.layers.Dense(3)(k)]),
        lambda x, k: x * np.array([1.0, 2.0, -3.0]),
        lambda x, k: keras.layers.Lambda(lambda t: keras.ops.abs(t) + 2 * keras.ops.softmax(t))(x),
        lambda x, k: keras.ops.sparsemax(x, axis=4),
        lambda x, k: keras.layers.Softmax(axis=(1, 2))(x),
        lambda x, k: keras.layers.Softmax(axis=(-2, -1))(x),
    ],
    ids=["film", "map", "vector", "constant", "lambda", "operation", "space", "element and field"],
)
@pytest.mark.parametrize("subgroup", ["C4", "C1"])
def test_what_has_no_group_axis_and_functions_of_several_axes(function, subgroup):
    image, vector = keras.Input((7, 7, 2)), keras.Input((5,))
    x = function(L.LiftingConv2D(3, 3, "D4", padding="same")(image), vector)
    x = keras.layers.GlobalAveragePooling2D()(L.GroupPooling("max")(L.GroupConv2D(2, 3, "D4")(x)))
    model = shuffled(keras.Model([image, vector], x))
    small = ke.restrict(model, subgroup)
    generator = np.random.default_rng(2)
    inputs = [generator.normal(size=(2, 7, 7, 2)), generator.normal(size=(2, 5))]
    np.testing.assert_allclose(small(inputs), model(inputs), rtol=1e-10, atol=1e-12)


def test_what_differs_along_the_group_is_named():
    image = keras.Input((7, 7, 2))
    x = L.LiftingConv2D(3, 3, "D4", padding="same")(image)
    for y in (x * np.ones((8, 1)), keras.layers.Softmax(axis=3)(x), keras.ops.cumsum(x, axis=-1)):
        with pytest.raises(ValueError, match="Received: (fields split into|the layer).*over the group|GroupPooling"):
            ke.restrict(keras.Model(image, L.GroupPooling("max")(y)), "C4")


def test_an_activation_of_ones_own_is_judged_by_what_it_does():
    image = keras.Input((7, 7, 2))
    model = keras.Model(image, L.GroupPooling("max")(L.LiftingConv2D(3, 3, "D4", activation=keras.ops.sin)(image)))
    wanted = answers(model, (7, 7, 2))
    np.testing.assert_allclose(answers(ke.restrict(model, "C4"), (7, 7, 2)), wanted, rtol=1e-12, atol=1e-12)


def test_layers_without_a_restriction_are_named_with_what_helps():
    image = keras.Input((7, 7, 2))
    x = L.LiftingConv2D(2, 3, "D4", padding="same")(image)
    repeated = keras.Model(image, L.GroupPooling()(keras.layers.Add()([x, L.GroupRepeat("D4")(image)])))
    with pytest.raises(
        ValueError, match='GroupRepeat has no restriction. Received: the layer "[^"]*" on D4; use Group'
    ):
        ke.restrict(repeated, "C4")
    relaxed = ke.relax(keras.Model(image, L.GroupPooling("max")(x)))
    with pytest.raises(ValueError, match=r"Relaxed has no restriction.*project\(model\).model"):
        ke.restrict(relaxed, "C4")
    ke.restrict(ke.project(relaxed).model, "C4")
    doubled = keras.Model(image, L.GroupPooling()(L.GroupDepthwiseConv2D(3, "D4", depth_multiplier=2)(x)))
    with pytest.raises(ValueError, match="depth_multiplier=1.*more fields"):
        ke.restrict(doubled, "C4")


def test_mistakes():
    image, x = regular()
    model = keras.Model(image, x)
    with pytest.raises(ValueError, match="must be smaller than the group of some layer"):
        ke.restrict(model, "D4")
    with pytest.raises(ValueError, match="contained in the group of every layer"):
        ke.restrict(model, "C3")
    with pytest.raises(ValueError, match="use BatchNormalization, Dense or an activation"):
        ke.restrict(keras.Model(image, keras.layers.GroupNormalization(1)(x)), "C4")
    with pytest.raises(ValueError, match="HarmonicConv2D has no restriction"):
        ke.restrict(keras.Model(image, L.HarmonicConv2D(2, 3)(image)), "C4")
    with pytest.raises(ValueError, match="FlattenFields and UnflattenFields"):
        flat = L.FlattenFields("D4")(x)
        ke.restrict(keras.Model(image, L.SteerableDense("2xregular", "1x0+", "D4")(flat)), "C4")
    with pytest.raises(ValueError, match="must start from images"):
        features = keras.Input((5, 5, 8, 1))
        ke.restrict(keras.Model(features, L.GroupConv2D(1, 3, "D4")(features)), "C4")
    with pytest.raises(TypeError, match="must be a keras.Model"):
        ke.restrict(L.GroupPooling(), "C4")


def test_layers_on_points_are_named():
    inputs = [keras.Input((5, 3)), keras.Input((5, 2)), keras.Input((5,), dtype="bool")]
    x, f, mask = L.SteerablePointConv("2xtrivial", "1xT1 + 1xA1", "O", radius=2.0)(inputs)
    f = L.NormPooling("1xT1 + 1xA1", group="O")(f)
    model = keras.Model(inputs, f)
    with pytest.raises(ValueError, match='SteerablePointConv has no restriction.*"steerable_point_conv.*smaller group'):
        ke.restrict(model, "T")
    with pytest.raises(ValueError, match="`subgroup` must be smaller"):
        ke.restrict(model, "O")
