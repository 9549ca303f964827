"""Restriction, dropout and reshaping of field types, where the catalogue does not reach."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_equivariant as ke
from keras_equivariant import FieldType, groups, layers

LADDERS = [
    ("2xregular + 1x1 + 2xquotient(C4) + 1x0-", ("D8", "D4", "D1")),
    ("2xregular + 1x1 + 3x7 + 1x8-", ("D16", "C16", "C4")),
    ("2xinduced(C4,1) + 1xregular", ("D4", "C4", "C2")),
    ("2x0+ + 1x0- + 3x1 + 2x2 + 1x5", ("O2", "SO2", "C8")),
    ("2x0+ + 1x0- + 3x1 + 2x2 + 1x5", ("O2", "D4", "C4")),
    ("2x0+ + 1x0- + 3x1 + 2x2 + 1x5", ("O2", "C4", "C1")),
]


def elements(group):
    """Matrices of all elements, of a continuous group of many."""
    group = groups.get(group)
    return (group.discrete(7) if isinstance(group, groups.ContinuousGroup) else group).matrices


@pytest.mark.parametrize("shape", [(3,), (2, 4, 5)], ids=["vectors", "pixels"])
@pytest.mark.parametrize(("text", "ladder"), LADDERS, ids=lambda value: str(value))
def test_restriction_keeps_the_law_of_every_subgroup(text, ladder, shape):
    field_type = FieldType.parse(text, ladder[0])
    x = np.random.default_rng(0).normal(size=(*shape, field_type.size))
    for subgroup in ladder[1:]:
        layer = layers.Restrict(field_type, subgroup, dtype="float64")
        assert layer.out_type.group.name == subgroup
        y = ops.convert_to_numpy(layer(x))
        for matrix in elements(subgroup):
            moved = ops.convert_to_numpy(layer(field_type.moved(x, matrix)))
            assert np.abs(moved - layer.out_type.moved(y, matrix)).max() <= 1e-12
        # Nothing is lost on the way: the change of basis is invertible.
        basis = ops.convert_to_numpy(layer(np.eye(field_type.size).reshape(*(1,) * len(shape), -1, field_type.size)))
        assert np.linalg.matrix_rank(basis.reshape(-1, field_type.size)) == field_type.size
        field_type, x = layer.out_type, y


def test_restriction_breaks_what_it_forgets():
    """Negative control: a mirror is no element of C4."""
    layer = layers.Restrict("2xregular + 1x1", "C4", group="D4", dtype="float64")
    x = np.random.default_rng(0).normal(size=(3, layer.in_type.size))
    mirror = groups.get("D4").matrices[4]
    turned = ops.convert_to_numpy(layer(layer.in_type.moved(x, mirror)))
    images = [layer.out_type.moved(ops.convert_to_numpy(layer(x)), matrix) for matrix in elements("C4")]
    assert min(np.abs(turned - image).max() for image in images) > 1e-2


def test_restriction_to_the_group_itself_is_free():
    layer = layers.Restrict("2xregular", "D4", group="D4")
    assert layer.fold((None, 9, 9, 16)) == []
    assert layer.out_type == layer.in_type


def test_restriction_needs_a_subgroup():
    with pytest.raises(ValueError, match="contained in D4"):
        layers.Restrict("2xregular", "C8", group="D4")
    with pytest.raises(ValueError, match="takes features"):
        layers.Restrict("2xregular", "C4", group="D4")(np.zeros((1, 9, 9, 15), "float32"))


def test_layers_behind_a_restriction_take_its_type():
    inputs = keras.Input((9, 9, 16))
    restrict = layers.Restrict("2xregular", "C4", group="D4")
    x = restrict(inputs)
    assert layers.FieldPooling(restrict.out_type)(x).shape == (None, 9, 9, 4)
    with pytest.raises(ValueError, match="on C4"):
        layers.FieldPooling("2xregular", group="D4")(x)


def dropped(spatial, x, **kwargs):
    layer = layers.FieldDropout("8x0 + 6x1 + 4x2", 0.4, group="SO2", spatial=spatial, seed=3, **kwargs)
    y = ops.convert_to_numpy(layer(x, training=True))
    parts = [y[..., :8], *(np.split(y[..., start:stop], 2, axis=-1) for start, stop in ((8, 20), (20, 28)))]
    return layer, y, parts


@pytest.mark.parametrize("spatial", [False, True])
def test_fields_are_dropped_whole(spatial):
    x = np.ones((16, 10, 10, 28), "float32")
    _, y, (scalars, *vectors) = dropped(spatial, x)
    np.testing.assert_allclose(np.unique(y), [0, 1 / 0.6], rtol=1e-6)
    for first, second in vectors:
        np.testing.assert_array_equal(first, second)
    fields = np.concatenate([scalars, *(first for first, _ in vectors)], axis=-1)
    alike = (fields == fields[:, :1, :1]).all()
    assert alike == spatial
    assert abs((fields == 0).mean() - 0.4) < (0.1 if spatial else 0.02)
    assert not (fields == fields[:1]).all()  # samples apart


def test_dropout_at_inference_is_the_identity():
    x = np.random.default_rng(0).normal(size=(2, 5, 5, 28)).astype("float32")
    layer, y, _ = dropped(False, x)
    assert (y == 0).any()
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(x)), x)
    assert layer.fold((None, 5, 5, 28)) == []


def test_dropout_of_vectors_and_in_half_precision():
    _, y, _ = dropped(True, np.ones((500, 28), "float32"), dtype="mixed_float16")
    assert y.dtype == np.float16
    assert abs((y == 0).mean() - 0.4) < 0.05


@pytest.mark.parametrize("spatial", [False, True])
@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.tensorflow)])
def test_dropout_trains_on_unknown_sizes(spatial, jit_compile):
    inputs = keras.Input((None, None, 4))
    x = layers.FieldDropout("2x1", 0.5, group="SO2", spatial=spatial)(inputs)
    model = keras.Model(inputs, layers.SteerableDense("2x1", "2x1", group="SO2")(x))
    model.compile("sgd", "mse", jit_compile=jit_compile)
    assert np.isfinite(model.train_on_batch(np.ones((2, 6, 5, 4)), np.zeros((2, 6, 5, 4))))


@pytest.mark.parametrize("rate", [-0.1, 1.5, True, "half"])
def test_dropout_refuses_other_rates(rate):
    with pytest.raises(ValueError, match="`rate` must be"):
        layers.FieldDropout("2x1", rate, group="SO2")


def test_flattened_fields_come_back():
    x = np.random.default_rng(0).normal(size=(2, 5, 5, 8, 3)).astype("float32")
    flatten = layers.FlattenFields("D4")
    y = flatten(x)
    assert flatten.out_type == FieldType.parse("3xregular", "D4")
    back = layers.UnflattenFields(flatten.out_type)(y)
    np.testing.assert_array_equal(ops.convert_to_numpy(back), x)


def test_only_regular_fields_unflatten():
    with pytest.raises(ValueError, match="regular fields"):
        layers.UnflattenFields("2xregular + 1x1", group="D4")
    with pytest.raises(ValueError, match="finite group"):
        layers.FlattenFields("SO2")


def mixed_network(join):
    """Group convolutions, then field types, then group convolutions again, with branches on both sides."""
    image = keras.Input((9, 9, 2))
    x = layers.LiftingConv2D(2, 3, group="D4", padding="same")(image)
    if join:
        x = keras.layers.Concatenate()([x, layers.GroupConv2D(3, 1, group="D4")(x)])
    fields = x.shape[-1]
    y = layers.FlattenFields("D4")(x)
    y_type = f"{fields}xregular"
    z = layers.SteerableConv2D(y_type, y_type, 3, group="D4", padding="same")(y)
    back = layers.UnflattenFields(y_type, group="D4")(z)
    back = layers.GroupPooling("max")(keras.layers.Add()([back, x]))
    norms = [layers.NormPooling(y_type, group="D4")(part) for part in (y, z)]
    return keras.Model(image, [back, *norms])


@pytest.mark.tensorflow
@pytest.mark.parametrize("join", [False, True], ids=["plain", "concatenated"])
def test_reshaped_fields_fold_among_branches(join):
    model = mixed_network(join)
    x = np.random.default_rng(0).normal(size=(2, 9, 9, 2)).astype("float32")
    folded = ke.fold(model)
    for found, expected in zip(folded(x), model(x), strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(found), ops.convert_to_numpy(expected), atol=1e-5)
