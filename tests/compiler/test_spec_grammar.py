"""What a spec can say: layers in three forms, defaults, blocks, repeats, branches, conditions, parameters."""

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.compiler import Spec, SpecError, build_from_spec, load_spec
from keras_equivariant.compiler.grammar import registry
from keras_equivariant.costs import estimate


def spec_of(layers, **others):
    return {"spec": 1, "name": "net", "input": {"shape": [8, 8, 3]}, "layers": layers, **others}


def entries(layers, **others):
    return [entry.to_dict() for entry in load_spec(spec_of(layers, **others)).layers]


def test_a_layer_is_a_name_a_scalar_or_a_mapping():
    written = [
        "ReLU",
        {"Dense": 5},
        {"Dense": {"units": 5, "use_bias": False}},
        {"GroupPooling": "mean"},
        {"Flatten": None},
    ]
    full = ["ReLU", {"Dense": {"units": 5}}, {"Dense": {"units": 5, "use_bias": False}}]
    assert entries(written) == [*full, {"GroupPooling": {"mode": "mean"}}, "Flatten"]


def test_defaults_stand_behind_what_the_entry_says():
    defaults = {"Dense": {"use_bias": False, "activation": "relu"}}
    found = entries([{"Dense": 5}, {"Dense": {"units": 5, "activation": "tanh"}}], defaults=defaults)
    assert found == [
        {"Dense": {"units": 5, "activation": "relu", "use_bias": False}},
        {"Dense": {"units": 5, "activation": "tanh", "use_bias": False}},
    ]


def test_blocks_take_parameters_and_see_those_of_the_spec():
    blocks = {"unit": {"params": {"units": None, "twice": "${2 * units}"}, "body": [{"Dense": "${twice + offset}"}]}}
    found = entries(["ReLU", {"unit": 5}, {"unit": {"units": 3, "twice": 4}}], blocks=blocks, params={"offset": 1})
    assert found == ["ReLU", {"Dense": {"units": 11}}, {"Dense": {"units": 5}}]


def test_a_block_does_not_see_the_parameters_of_its_caller():
    blocks = {
        "inner": {"body": [{"Dense": "${units}"}]},
        "outer": {"params": {"units": None}, "body": ["inner"]},
    }
    with pytest.raises(SpecError, match='unknown parameter "units"'):
        entries([{"outer": 5}], blocks=blocks)


def test_a_block_may_shadow_what_it_is_built_of():
    blocks = {"residual": {"params": {"units": None}, "body": [{"residual": {"main": [{"Dense": "${units}"}]}}]}}
    expected = {"residual": {"main": [{"Dense": {"units": 3}}], "shortcut": [], "merge": "Add"}}
    assert entries([{"residual": {"units": 3}}], blocks=blocks) == [expected]


def test_repeats_count_from_zero():
    repeat = {"times": "${n}", "index": "i", "body": [{"Dense": {"units": "${2 ** (i + 1)}", "name": "dense_${i}"}}]}
    found = entries([{"repeat": repeat}], params={"n": 3})
    assert [entry["Dense"] for entry in found] == [{"units": 2 ** (i + 1), "name": f"dense_{i}"} for i in range(3)]
    assert entries(["ReLU", {"repeat": {**repeat, "times": 0}}]) == ["ReLU"]


@pytest.mark.parametrize(("test", "expected"), [(True, ["ReLU"]), (False, ["Softmax"]), ("${1 > 2}", ["Softmax"])])
def test_conditions(test, expected):
    assert entries([{"when": {"test": test, "then": ["ReLU"], "else": ["Softmax"]}}]) == expected


def test_branches_are_merged():
    parallel = {"branches": [[{"Dense": 2}], [{"Dense": 3}, "ReLU"], []], "merge": "Concatenate"}
    model = build_from_spec(spec_of([{"parallel": parallel}]))
    assert model.output_shape == (None, 8, 8, 8)
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")
    first, second = model.get_layer("dense")(x), model.get_layer("dense_1")(x)
    np.testing.assert_allclose(model(x), np.concatenate([first, np.maximum(second, 0), x], axis=-1), rtol=1e-6)


def test_a_residual_adds_its_shortcut():
    model = build_from_spec(spec_of([{"residual": {"main": [{"Dense": 3}]}}]))
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")
    dense = next(layer for layer in model.layers if isinstance(layer, keras.layers.Dense))
    np.testing.assert_allclose(model(x), dense(x) + x, rtol=1e-6)


def test_parameters_are_overridden_by_keyword():
    params = {"units": 4, "twice": "${2 * units}", "rate": 0.5, "widths": [1, 2], "on": True, "word": "relu"}
    source = spec_of([{"Dense": "${twice}"}], params=params)
    assert load_spec(source).params["twice"] == 8
    assert load_spec(source, units=5).params["twice"] == 10
    given = {"units": np.int64(3), "twice": 7.0, "rate": 1, "widths": (3,), "on": False, "word": "tanh"}
    resolved = {"units": 3, "twice": 7, "rate": 1, "widths": [3], "on": False, "word": "tanh"}
    found = load_spec(source, **given)
    assert found.params == resolved
    assert found.layers[0].arguments == {"units": 7}


def test_given_values_are_not_expressions():
    source = spec_of([{"Activation": "${word}"}], params={"word": "relu", "secret": "tanh"})
    with pytest.raises(SpecError, match=r"unknown value. Received: '\${secret}'"):
        load_spec(source, word="${secret}")


def test_a_part_may_have_arguments():
    dense = {
        "units": 3,
        "kernel_initializer": {"RandomNormal": {"stddev": "${2 * s}"}},
        "bias_initializer": "ones",
        "kernel_regularizer": {"L2": 1e-4},
        "kernel_constraint": "NonNeg",
    }
    model = build_from_spec(spec_of([{"Dense": dense}], params={"s": 0.25}))
    layer = model.layers[-1]
    assert layer.kernel_initializer.stddev == 0.5
    assert isinstance(layer.kernel_constraint, keras.constraints.NonNeg)
    assert float(layer.kernel_regularizer.l2) == pytest.approx(1e-4)
    assert np.all(np.asarray(layer.bias) == 1)


def test_unknown_sizes():
    model = build_from_spec("p4_cnn")
    layers = load_spec("p4_cnn").to_dict()["layers"]
    free = build_from_spec(spec_of(layers) | {"input": {"shape": [None, None, 1], "name": "image"}})
    assert free.input_shape == (None, None, None, 1)
    assert [w.shape for w in free.weights] == [w.shape for w in model.weights]
    assert free(np.zeros((1, 32, 32, 1), "float32")).shape == (1, 10)


def test_names_are_the_same_in_every_build():
    names = [[layer.name for layer in build_from_spec("p4_cnn").layers] for _ in range(2)]
    assert names[0] == names[1]
    assert {"lifting_conv2d", "group_conv2d", "group_conv2d_5", "batch_normalization"} <= set(names[0])


def test_given_names_are_kept_and_not_taken_twice():
    model = build_from_spec(spec_of([{"Dense": {"units": 2, "name": "dense_1"}}, {"Dense": 2}, {"Dense": 2}]))
    assert [layer.name for layer in model.layers] == ["input_layer", "dense_1", "dense", "dense_2"]


def test_our_layers_shadow_those_of_keras():
    model = build_from_spec(
        spec_of(["BatchNormalization", {"MaxPooling2D": 2}, {"Conv2D": {"filters": 2, "kernel_size": 3}}])
    )
    kinds = [type(layer) for layer in model.layers[1:]]
    assert kinds == [ke.layers.BatchNormalization, ke.layers.MaxPooling2D, keras.layers.Conv2D]


def test_every_public_layer_may_be_named():
    names = {name for name in ke.layers.__all__ if isinstance(getattr(ke.layers, name), type)}
    assert names <= set(registry.layer_classes())


@pytest.mark.parametrize("name", ke.compiler.list_specs())
def test_a_resolved_spec_builds_the_same_network(name, write):
    spec = load_spec(name)
    if "size" in spec.params:
        spec = load_spec(name, size=33 if name in ("se3_shrec17", "se3_tetris") else 32)  # strided: exact on odd sizes
    again = load_spec(write(spec.to_yaml(), "again.yaml"))
    assert again.params == {}
    assert (again.name, again.input, again.training) == (spec.name, spec.input, spec.training)
    assert again.to_dict() == spec.to_dict()
    first, second = build_from_spec(spec), build_from_spec(again)
    assert [(layer.name, layer.get_config()) for layer in first.layers] == [
        (layer.name, layer.get_config()) for layer in second.layers
    ]


def test_a_spec_is_a_value():
    spec = load_spec("p4_cnn", filters=3)
    assert isinstance(spec, Spec)
    assert (spec.name, spec.input_shape, spec.source) == ("p4_cnn", (28, 28, 1), "p4_cnn.yaml")
    assert spec.params["filters"] == 3
    assert spec.training["optimizer"] == {"Adam": {"learning_rate": 1e-3}}
    with pytest.raises(TypeError, match="A loaded Spec has its parameters already. Received: filters"):
        build_from_spec(spec, filters=4)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float64"])
def test_the_global_dtype_policy_is_honored(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = build_from_spec("p4_cnn", filters=2)
    finally:
        keras.config.set_dtype_policy(before)
    assert {layer.dtype_policy.name for layer in model.layers[1:]} == {policy}


TRANSPOSED = {
    "GroupConv2DTranspose": ({"filters": 3, "kernel_size": 3, "group": "C4", "padding": "same"}, [8, 8, 1]),
    "GroupConv3DTranspose": ({"filters": 2, "kernel_size": 3, "group": "T", "padding": "same"}, [6, 6, 6, 1]),
    "SteerableConv2DTranspose": ({"out_type": "2xregular", "kernel_size": 3, "padding": "same"}, [8, 8, 1]),
    "SteerableConv3DTranspose": ({"out_type": "1x0 + 1x1", "kernel_size": 3, "padding": "same"}, [6, 6, 6, 1]),
}


@pytest.mark.parametrize("name", TRANSPOSED)
def test_transposed_convolutions_take_their_arguments(name):
    arguments, shape = TRANSPOSED[name]
    before = {
        "GroupConv2DTranspose": {"LiftingConv2D": {**arguments, "filters": 2}},
        "GroupConv3DTranspose": {"LiftingConv3D": {**arguments, "filters": 2}},
        "SteerableConv2DTranspose": {"SteerableConv2D": {**arguments, "group": "D4"}},
        "SteerableConv3DTranspose": {"SteerableConv3D": {**arguments, "group": "SO3"}},
    }[name]
    spec = {
        "spec": 1,
        "name": "up",
        "law": "equivariance",
        "input": {"shape": shape},
        "layers": [before, {name: arguments}],
    }
    model = build_from_spec(spec)
    assert type(model.layers[-1]).__name__ == name
    assert ke.certify(model, angles=0, layers=False).max_error <= 1e-12


@pytest.mark.parametrize("name", ["source", "spec", "params", "data", "seed", "value", "x"])
def test_a_parameter_may_have_any_name(name):
    spec = spec_of([{"Dense": "${" + name + "}"}], params={name: 2})
    assert load_spec(spec, **{name: 4}).params == {name: 4}
    assert build_from_spec(spec, **{name: 4}).output_shape == (None, 8, 8, 4)
    assert ke.lint(spec, **{name: 4}) == []
    assert estimate(spec, **{name: 4}).parameters == 16


@pytest.mark.parametrize(
    "note", ["a\nb: 1", "a\u2028b: 1", "a\u2029b", "a\x85b: 1", "a\rb: 1", "tab\t", "\x07", "ü # ]"]
)
def test_text_of_any_kind_is_kept_by_the_resolved_spec(note, write):
    spec = load_spec(spec_of([{"Dense": 2}], params={"note": note, "notes": [note]}, description=note))
    again = load_spec(write(spec.to_yaml(), "again.yaml"))
    assert again.to_dict() == spec.to_dict()
