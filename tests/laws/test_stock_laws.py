"""What Keras's own layers do to features of each layout: what passes is measured exact, what is refused is not."""

import warnings

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant import layers
from keras_equivariant.compiler import SpecError, build_from_spec, lint
from keras_equivariant.graphs.symmetry import layout_of
from keras_equivariant.groups import layouts
from keras_equivariant.stock import laws

STOCK = keras.layers


def typed(out_type="8x0 + 4x1", group="SO2", size=17):
    return layers.SteerableConv2D("1xtrivial", out_type, 5, group, dtype="float64")(keras.Input((size, size, 1)))


def error(x, group, output_layout):
    """The error of the network that ends in this tensor, on the elements that the grid knows."""
    first = x
    while not isinstance(first._keras_history.operation, STOCK.InputLayer):
        history = first._keras_history
        first = history.operation._inbound_nodes[history.node_index].arguments.keras_tensors[0]
    model, rng = keras.Model(first, x), np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    data = rng.normal(size=(2, *first.shape[1:]))
    errors = ke.equivariance_error(model, group, data, elements="exact", output_layout=output_layout)
    return max(errors.values())


def accepted(x, in_type, group="SO2"):
    return layers.NormPooling(in_type, group=group, dtype="float64")(x)


PASS = {
    "scale": (lambda x: STOCK.Rescaling(0.5)(x), "8x0 + 4x1"),
    "scale of fields": (lambda x: STOCK.Rescaling([*range(1, 9), *range(4), *range(4)])(x), "8x0 + 4x1"),
    "offset of scalars": (lambda x: STOCK.Rescaling(1.0, [*range(8), *[0] * 8])(x), "8x0 + 4x1"),
    "cut": (lambda x: x[..., 8:], "4x1"),
    "cut of scalars": (lambda x: x[..., 3:], "5x0 + 4x1"),
    "split": (lambda x: keras.ops.split(x, [8], axis=-1)[1], "4x1"),
    "halves": (lambda x: keras.ops.split(x, 2, axis=-1)[0], "8x0"),
    "product": (lambda x: 0.5 * x, "8x0 + 4x1"),
    "symmetric crop": (lambda x: x[:, 1:-1, 1:-1], "8x0 + 4x1"),
    "mean": (lambda x: keras.ops.mean(x, axis=(1, 2), keepdims=False), "8x0 + 4x1"),
    "dropout": (lambda x: STOCK.Dropout(0.5)(x), "8x0 + 4x1"),
    "noise": (lambda x: STOCK.GaussianNoise(0.5)(x), "8x0 + 4x1"),
    "unit norm": (lambda x: STOCK.UnitNormalization()(x), "8x0 + 4x1"),
    "beside scalars": (
        lambda x: STOCK.Concatenate()([x, layers.NormPooling("8x0 + 4x1", "SO2", dtype="float64")(x)]),
        "8x0 + 4x1 + 12x0",
    ),
    "padding": (lambda x: STOCK.ZeroPadding2D(2)(x), "8x0 + 4x1"),
}


@pytest.mark.parametrize("name", PASS)
def test_what_keeps_a_type_passes_and_is_exact(name):
    layer, left = PASS[name]
    with _float64():
        x = layer(typed())
        assert accepted(x, left).shape[-1] == ke.FieldType.parse(left, "SO2").fields
        assert error(x, "C4", ke.FieldType.parse(left, "SO2")) < 1e-12


BREAK = {
    "scale of channels": (lambda x: STOCK.Rescaling(list(range(16)))(x), "scales the components of a field"),
    "offset": (lambda x: STOCK.Rescaling(1.0, 1.0)(x), "adds a vector that rotates with the group.*use offset=0"),
    "cut through a field": (
        lambda x: x[..., 9:],
        "cuts through fields of .* end at channel 8; cut at a block",
    ),
    "cut through a block": (lambda x: x[..., :12], "cuts through fields"),
    "split": (lambda x: keras.ops.split(x, 4, axis=-1)[2], "cuts through fields"),
    "one side cropped": (lambda x: STOCK.Cropping2D(((1, 0), (1, 0)))(x), "must treat all sides alike"),
    "one side padded": (lambda x: STOCK.ZeroPadding2D(((0, 1), (0, 1)))(x), "must treat all sides alike"),
    "one side cut": (lambda x: x[:, 1:, 1:], "must treat all sides alike"),
    "constants": (lambda x: x * np.arange(16.0), "mixes the components"),
    "even windows on an odd size": (lambda x: STOCK.AveragePooling2D(2)(x), "do not treat all sides alike"),
}


@pytest.mark.parametrize("name", BREAK)
def test_what_breaks_a_type_is_refused_with_the_true_reason_and_is_broken(name):
    layer, reason = BREAK[name]
    with _float64():
        x = layer(typed())
        with pytest.raises(ValueError, match=reason):
            accepted(x, f"{x.shape[-1]}x0")
        whole = ke.FieldType.parse("8x0 + 4x1", "SO2")
        if x.shape[-1] == whole.size:
            assert error(x, "C4", whole) > 1e-3


class _float64:
    def __enter__(self):
        self.policy = keras.config.dtype_policy()
        keras.config.set_dtype_policy("float64")

    def __exit__(self, *_):
        keras.config.set_dtype_policy(self.policy)


def test_odd_functions_keep_signs():
    layer = layers.PointwiseActivation("4x0- + 1x1", "tanh", "D4", dtype="float64")
    x = np.random.default_rng(0).normal(size=(2, 5, 5, 6))
    kind = layer.in_type
    assert max(ke.equivariance_error(layer, "D4", x, input_layout=kind, output_layout=str(kind)).values()) == 0
    with pytest.raises(ValueError, match="permuted up to sign"):
        layers.PointwiseActivation("4x0-", "relu", "D4")
    with pytest.raises(ValueError, match="permuted up to sign"):
        layers.PointwiseActivation("4x1", "tanh", "SO2")
    x = STOCK.Activation("tanh")(layers.SteerableConv2D("1xtrivial", "4x0-", 5, "D4")(keras.Input((9, 9, 1))))
    assert accepted(x, "4x0-", "D4").shape[-1] == 4


@pytest.mark.parametrize(("kind", "group"), [("4x0- + 2x0+", "O2"), ("2x0o + 1x0e", "O3")])
def test_both_parts_of_signs_on_continuous_groups(kind, group):
    layer = layers.ConcatenatedReLU(kind, group=group, dtype="float64")
    sized = (2, 4, 4, 4)[: layer.group.dimension + 1]
    x = np.random.default_rng(0).normal(size=(*sized, layer.in_type.size))
    law = {"input_layout": layer.in_type, "output_layout": layer.out_type}
    assert max(ke.equivariance_error(layer, layer.group.on_grid, x, **law).values()) == 0
    wrong = law | {"output_layout": ke.FieldType.scalars(layer.out_type.size, group)}
    assert max(ke.equivariance_error(layer, layer.group.on_grid, x, **wrong).values()) > 0.1
    dense = layers.SteerableDense(layer.out_type, kind, dtype="float64")
    law = {"input_layout": layer.in_type, "output_layout": layer.in_type}
    errors = ke.equivariance_error(lambda v: dense(layer(v)), layer.group.on_grid, x, **law)
    assert max(errors.values()) < 1e-12


def spec(*entries, size=9, group="D4"):
    first = {"LiftingConv2D": {"filters": 2, "kernel_size": 3, "group": group, "padding": "same"}}
    return {"spec": 1, "name": "net", "input": {"shape": [size, size, 1]}, "layers": [first, *entries]}


def test_transposed_convolutions_of_one_pixel_follow_their_own_rule():
    end = ["GlobalAveragePooling2D"]
    even = {"Conv2DTranspose": {"filters": 2, "kernel_size": 1, "strides": 2}}
    assert "a stock Conv2DTranspose does not commute with D4" in lint(spec("GroupPooling", even, *end))[0].message
    placed = {"Conv2DTranspose": {"filters": 2, "kernel_size": 1, "strides": 2, "output_padding": 0}}
    assert lint(spec("GroupPooling", placed, *end, size=8)) == []


def test_the_claimed_group_is_what_all_layers_share():
    other = {"LiftingConv2D": {"filters": 2, "kernel_size": 3, "group": "D2", "padding": "same"}}
    ends = ["GroupPooling", "GlobalAveragePooling2D"]
    assert lint(spec("GroupPooling", {"ZeroPadding2D": [1, 0]}, other, *ends, group="C4")) == []
    assert lint(spec("GroupPooling", {"ZeroPadding2D": [1, 0]}, *ends[1:], group="C4"))
    alone = {"LiftingConv2D": {"filters": 2, "kernel_size": 3, "group": "C3", "padding": "same"}}
    (problem,) = lint(spec("GroupPooling", alone, *ends, group="C4"))
    assert problem.severity == "warning"
    assert "the groups C4 and C3 share only the identity" in problem.message


@pytest.mark.parametrize("first", ["typed", "harmonic"])
def test_dropout_gets_one_answer(first):
    conv = {
        "typed": {"SteerableConv2D": {"out_type": "2x0 + 2x1", "kernel_size": 3, "group": "SO2"}},
        "harmonic": {"HarmonicConv2D": {"filters": 2, "kernel_size": 3}},
    }[first]
    network = {"spec": 1, "name": "net", "input": {"shape": [9, 9, 1]}, "layers": [conv, {"Dropout": 0.5}]}
    assert [problem for problem in lint(network) if problem.severity == "error"] == []


def test_axes_of_stock_normalizations():
    good = ["UnitNormalization", {"UnitNormalization": {"axis": [1, 2]}}, {"Softmax": {"axis": 3}}]
    for layer in good:
        network = spec(layer, "GroupPooling", "GlobalAveragePooling2D")
        assert lint(network) == []
        assert ke.certify(build_from_spec(network), angles=0, layers=False).exact
    for layer in ({"UnitNormalization": {"axis": [1]}}, {"LayerNormalization": {"axis": [3]}}):
        with pytest.raises(SpecError, match="treats positions or group elements differently"):
            build_from_spec(spec(layer, "GroupPooling", "GlobalAveragePooling2D"))


def test_a_layer_on_features_of_another_group_is_refused_at_once():
    x = layers.LiftingConv2D(2, 3, "D4", padding="same")(keras.Input((9, 9, 1)))
    with pytest.raises(ValueError, match='takes regular features of its own group, "C8". Received: regular D4'):
        layers.GroupConv2D(2, 3, "C8")(keras.layers.ReLU()(x))


def test_normalization_along_an_axis_that_nothing_moves_is_exact():
    """D1 mirrors along one axis of space: rows may have numbers of their own, columns may not."""
    with _float64():
        image = keras.Input((6, 6, 1))
        x = layers.LiftingConv2D(2, 3, group="D1", padding="same", dtype="float64")(image)
        along, across = (
            np.flatnonzero(np.array(ke.groups.grid.moved_axes(ke.groups.get("D1"))) == m)[0] for m in (0, 1)
        )
        for axis, exact in ((along + 1, True), (across + 1, False)):
            layer = STOCK.LayerNormalization(axis=[int(axis), 4], dtype="float64")
            pooling = layers.GroupPooling("max", strict=exact, dtype="float64")
            with warnings.catch_warnings(record=True) as caught:
                pooled = pooling(layer(x))
            assert bool(caught) != exact
            assert (error(pooled, "D1", "image") < 1e-12) == exact
            spec = [
                {"LiftingConv2D": {"filters": 2, "kernel_size": 3, "group": "D1", "padding": "same"}},
                {"LayerNormalization": {"axis": [int(axis), 4]}},
                "GroupPooling",
                "GlobalMaxPooling2D",
            ]
            assert (lint({"spec": 1, "name": "net", "input": {"shape": [6, 6, 1]}, "layers": spec}) == []) == exact


@pytest.mark.parametrize(
    ("layer", "shape", "text"),
    [
        (keras.layers.CenterCrop(5, 5), (None, 8, 8, 3), "differ from it by even numbers"),
        (keras.layers.Resizing(4, 6), (None, 8, 8, 3), "does not treat all sides"),
        (keras.layers.Resizing(4, 4), (None, 8, 8, 8, 3), "use Resizing2D"),
    ],
)
def test_what_is_resampled_unevenly_says_so(layer, shape, text):
    layout = layouts.Regular(ke.groups.get("D4")) if len(shape) == 5 else layouts.Image(ke.groups.get("D4"))
    with pytest.raises(layouts.BreaksSymmetry, match=text):
        laws.output_layout(layer, [layout], [shape])


def test_what_does_not_move_takes_any_layer():
    layout = layouts.Invariant(ke.groups.get("D4"))
    for layer in (keras.layers.LSTM(2), keras.layers.Dot(-1), keras.layers.Lambda(lambda x: x[:, ::-1])):
        assert laws.output_layout(layer, [layout, layout], [(None, 3), (None, 3)]) is layout


@pytest.mark.parametrize("group", ["C4", "D2", "C2"])
@pytest.mark.parametrize("axes", [(1,), (1, 2), (2, 3), (1, 2, 3)], ids=str)
def test_attention_along_axes_of_maps(group, axes):
    """Exact along all axes of space; along one where no element exchanges it for another."""
    image = keras.Input((4, 4, 2))
    x = layers.LiftingConv2D(2, 3, group, padding="same", dtype="float64")(image)
    pooled = axes in ((1,), (1, 2))
    x = layers.GroupPooling("max", dtype="float64")(x) if pooled else x
    y = STOCK.MultiHeadAttention(2, 2, attention_axes=axes, dtype="float64")(x, x)
    exact = error(y, group, "image" if pooled else "regular") < 1e-12
    assert exact == (group != "C4" or {1, 2} <= set(axes))
    behind = layers.LiftingConv2D if pooled else layers.GroupConv2D
    if exact:
        behind(1, 3, group)(y)
    else:
        with pytest.raises(ValueError, match=r"exchanges for others.*attention_axes=\(1, 2\)"):
            behind(1, 3, group)(y)


def test_attention_among_elements_alone_has_too_many_axes_on_tensorflow():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("TensorFlow's softmax takes five axes")
    x = layers.LiftingConv2D(2, 3, "C4", padding="same")(keras.Input((4, 4, 2)))
    y = STOCK.MultiHeadAttention(2, 2, attention_axes=(3,))(x, x)
    with pytest.raises(ValueError, match=r"softmax of 6 axes.*attention_axes=\(1, 2\), or use it behind GroupPooling"):
        layers.GroupPooling()(y)


@pytest.mark.parametrize("group", ["C4", "D2"])
@pytest.mark.parametrize("axis", [1, 3, -1])
@pytest.mark.parametrize("name", ["softmax", "normalize"])
def test_functions_along_axes_are_judged_as_layers_are(name, axis, group):
    image = keras.Input((4, 4, 2), dtype="float64")
    x = layers.LiftingConv2D(2, 3, group, padding="same", dtype="float64")(image)
    y = getattr(keras.ops, name)(x, axis=axis)
    exact = error(y, group, "regular") < 1e-12
    assert exact == (group == "D2" or axis != 1)
    if exact:
        assert layouts.Regular is type(layout_of(y))
        layers.GroupConv2D(1, 3, group)(y)
    else:
        with pytest.raises(ValueError, match="treats positions or group elements differently. Received: axis=1"):
            layers.GroupConv2D(1, 3, group)(y)


def test_what_is_invariant_on_axes_of_one_entry_is_certified_as_such():
    image = keras.Input((4, 4, 2))
    x = layers.LiftingConv2D(2, 3, "C2", padding="same")(image)
    model = keras.Model(image, STOCK.GlobalAveragePooling3D(keepdims=True)(x))
    assert ke.certify(model, layers=False, samples=1).verdict == "exact"
