"""Field types flow through specs: every typed layer gets the type of what reaches it, and nothing breaks one unseen."""

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.compiler import SpecError, lint, load_spec
from keras_equivariant.compiler.linter.linter import trace

FIRST = {"SteerableConv2D": {"out_type": "8x0 + 4x1", "kernel_size": 5, "group": "SO2"}}


def spec(*layers, first=FIRST):
    return {"spec": 1, "name": "typed", "input": {"shape": [17, 17, 1]}, "layers": [first, *layers]}


def types(*layers, first=FIRST):
    return [str(traced.features) for traced in trace(load_spec(spec(*layers, first=first))).layers]


def test_types_flow():
    assert types(
        {"SteerableConv2D": {"out_type": "12x0 + 4x1", "kernel_size": 3}},
        "GatedActivation",
        {"residual": {"main": ["NormActivation"]}},
        {"AveragePooling2D": {"pool_size": 3, "strides": 2}},
        {"parallel": {"branches": [["NormActivation"], [{"SteerableDense": "2x1"}]], "merge": "Concatenate"}},
        {"Restrict": "C4"},
        {"SteerableDense": "3xregular"},
        {"PointwiseActivation": "relu"},
        "FieldPooling",
        "BatchNormalization",
    ) == [
        '"8x0 + 4x1" on SO2',
        '"12x0 + 4x1" on SO2',
        '"8x0 + 4x1" on SO2',
        *['"8x0 + 4x1" on SO2'] * 2,
        '"8x0 + 4x1" on SO2',
        '"8x0 + 4x1" on SO2',
        '"2x1" on SO2',
        '"8x0 + 4x1 + 2x1" on SO2',
        '"8x0 + 4x1 + 2x1" on C4',
        '"3xregular" on C4',
        '"3xregular" on C4',
        "image",
        "image",
    ]


def test_regular_features_become_typed_and_back():
    first = {"LiftingConv2D": {"filters": 3, "kernel_size": 3, "group": "D4"}}
    assert types(
        {"FlattenFields": "D4"}, "SteerableBatchNormalization", "UnflattenFields", "GroupPooling", first=first
    ) == [
        "regular D4",
        *['"3xregular" on D4'] * 2,
        "regular D4",
        "image",
    ]


def test_the_network_is_what_the_types_say():
    model = ke.build_from_spec(spec("NormActivation", "NormPooling", "GlobalAveragePooling2D", {"Dense": 3}))
    x = np.random.default_rng(0).normal(size=(1, 17, 17, 1)).astype("float32")
    assert ke.certify(model, "C4", x, layers=False, angles=0).exact
    assert isinstance(model.layers[1], ke.layers.SteerableConv2D) and isinstance(model, keras.Model)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("ReLU", "ReLU: mixes the components .* use NormActivation, GatedActivation or FourierActivation"),
        ("BatchNormalization", "use SteerableBatchNormalization"),
        ({"MaxPooling2D": 3}, "use NormMaxPooling2D or AveragePooling2D"),
        ({"Dense": 3}, "use SteerableDense"),
        ({"Conv2D": {"filters": 3, "kernel_size": 3}}, "use SteerableConv2D"),
        ({"residual": {"main": [{"SteerableDense": "16x0"}]}}, "merges features that transform differently"),
        (
            {"parallel": {"branches": [["Identity"], ["Identity"]], "merge": {"Concatenate": 1}}},
            "must join channels. Received: axis=1; use axis=-1",
        ),
    ],
)
def test_what_breaks_a_type_is_an_error_with_a_remedy(layer, message):
    assert lint(spec(layer))[0].severity == "error"
    with pytest.raises(SpecError, match=message):
        ke.build_from_spec(spec(layer))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([{"SteerableDense": "2xfoo"}], "SO2 has the irreps 0, 1, 2"),
        ([{"SteerableDense": {"out_type": "2x1", "in_type": "8x0"}}], "in_type: unknown argument"),
        ([{"SteerableDense": {"out_type": "2x1", "group": "D4"}}], "use the layer Restrict between groups"),
        ([{"SteerableConv2D": {"out_type": "1x0", "kernel_size": 2000}}], "kernel_size=2000 is too large"),
        ([{"SteerableDense": "2xregular"}], r"Functions on SO2 need a highest frequency.*use regular\(2\)"),
        ([{"SteerableDense": "999999999xregular(2)"}], "at most|must have"),
        ([{"SteerableDense": "2xregular(999999999)"}], "irreps|at most|must have|highest"),
        ([{"LiftingConv2D": {"filters": 2, "kernel_size": 3, "group": "C4"}}], "takes no features with a field type"),
        ([{"Restrict": "O2"}], "must be contained in SO2"),
    ],
)
def test_mistakes_are_one_line(layers, message):
    with pytest.raises(SpecError, match=message) as error:
        ke.build_from_spec(spec(*layers))
    assert len(str(error.value).splitlines()) == 1


def test_the_first_typed_layer_names_the_group():
    with pytest.raises(SpecError, match='needs the argument "group"'):
        ke.build_from_spec(spec(first={"SteerableConv2D": {"out_type": "8x0", "kernel_size": 3}}))


def test_regular_features_are_to_be_flattened_first():
    first = {"LiftingConv2D": {"filters": 3, "kernel_size": 3, "group": "D4"}}
    with pytest.raises(SpecError, match="takes an image or features with a field type. .* use FlattenFields before it"):
        ke.build_from_spec(spec("NormActivation", first=first))


def test_a_network_that_ends_with_rotating_fields_is_warned_of():
    (problem,) = lint(spec("NormActivation"))
    assert problem.severity == "warning" and "end with NormPooling" in problem.message


def test_operators_in_a_spec():
    first = {"out_type": "4x0 + 2x1", "kernel_size": 5, "group": "SO2", "basis": "pdo", "frequency_cutoff": "nyquist"}
    wrong = {"SteerableConv2D": {"out_type": "2x0", "kernel_size": 3, "basis": "pdo", "maximum_order": 3}}
    invariant = ["NormPooling", "GlobalAveragePooling2D"]
    assert lint(spec(*invariant, first={"SteerableConv2D": first})) == []
    (problem,) = lint(spec(wrong, *invariant, first={"SteerableConv2D": first}))
    assert "use kernel_size=5" in str(problem)
    gauss = {"SteerableConv2D": {**first, "discretization": "gauss", "smoothing": 1.2, "maximum_order": 2}}
    model = ke.build_from_spec(spec(*invariant, first=gauss))
    assert model.layers[1].get_config()["smoothing"] == 1.2
    assert ke.certify(model, dtypes=("float64",)).verdict != "broken"
    gauss["SteerableConv2D"]["discretization"] = "rbf"
    with pytest.raises(SpecError, match="discretization: unknown value"):
        lint(spec(*invariant, first=gauss))
