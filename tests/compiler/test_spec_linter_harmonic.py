"""The symmetry linter on harmonic features: what it finds, what it lets pass, and that it is right about both."""

import warnings

import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.compiler import SpecError, build_from_spec, lint, load_spec, trace

CONV = {"HarmonicConv2D": {"filters": 4, "kernel_size": 3, "padding": "same"}}
END = [CONV, "HarmonicMagnitude", "GlobalAveragePooling2D"]


def network(*entries, end=END):
    return {"spec": 1, "name": "net", "input": {"shape": [8, 8, 2]}, "layers": [CONV, *entries, *end]}


def change(model):
    draw = np.random.default_rng(0)
    model.set_weights([draw.uniform(0.1, 1, size=w.shape) for w in model.get_weights()])
    x = draw.normal(size=(2, 8, 8, 2)).astype("float32")
    y, rotated = (np.asarray(model(v)) for v in (x, np.rot90(x, 1, axes=(1, 2)).copy()))
    return np.abs(y - rotated).max() / np.abs(y).max()


BROKEN = {
    "activation": ({"Activation": "relu"}, "use HarmonicActivation"),
    "relu": ("ReLU", "use HarmonicActivation"),
    "normalization": ("BatchNormalization", "use HarmonicBatchNormalization"),
    "layer normalization": ("LayerNormalization", "use HarmonicBatchNormalization"),
    "bias": ({"Dense": {"units": 4, "bias_initializer": "ones"}}, "use use_bias=False"),
    "dense activation": ({"Dense": {"units": 4, "use_bias": False, "activation": "relu"}}, "use HarmonicActivation"),
    "offset": ({"Rescaling": {"scale": 1.0, "offset": 1.0}}, "use offset=0"),
    "product": ({"residual": {"main": [CONV], "merge": "Multiply"}}, "Multiply acts on real and imaginary parts"),
}
FINE = {
    "dense": {"Dense": {"units": 4, "use_bias": False}},
    "scale": {"Rescaling": 0.5},
    "sum": {"residual": {"main": [CONV, "HarmonicActivation"]}},
    "concatenation": {"parallel": {"branches": [[], [CONV]], "merge": "Concatenate"}},
    "dropout": {"Dropout": 0.5},
    "pooling": {"AveragePooling2D": 2},
    "normalization": {"HarmonicBatchNormalization": "relu"},
}
REFUSED = {
    "maximum": ({"MaxPooling2D": 2}, "use AveragePooling2D"),
    "stock convolution": ({"Conv2D": {"filters": 4, "kernel_size": 3}}, "use HarmonicConv2D"),
    "global pooling": ("GlobalAveragePooling2D", "use HarmonicMagnitude before it"),
    "group pooling": ("GroupPooling", "takes features with a group axis"),
}


def not_strict(entry):
    (name, arguments), *_ = entry.items() if isinstance(entry, dict) else [(entry, {})]
    if name == "residual":
        return {name: {**arguments, "merge": {"Multiply": {"strict": False}}}}
    arguments = arguments if isinstance(arguments, dict) else {"activation": arguments}
    return {name: {**arguments, "strict": False}}


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_the_law_is_an_error_with_a_remedy(name):
    entry, remedy = BROKEN[name]
    (problem,) = [p for p in lint(network(entry)) if p.severity == "error"]
    assert remedy in problem.message
    with pytest.raises(SpecError):
        build_from_spec(network(entry))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = build_from_spec(network(not_strict(entry)))
    assert change(model) > 1e-4


@pytest.mark.parametrize("name", FINE)
def test_what_keeps_it_passes(name):
    assert lint(network(FINE[name])) == []
    assert change(build_from_spec(network(FINE[name]))) < 1e-5


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name):
    entry, remedy = REFUSED[name]
    assert remedy in lint(network(entry, end=[]))[0].message


def test_a_network_with_harmonic_layers_claims_the_quarter_turns():
    assert "does not cover the 8 pixels" in lint(network({"AveragePooling2D": 3}))[0].message
    stock = network(end=["HarmonicMagnitude", {"Conv2D": {"filters": 1, "kernel_size": 3}}, "GlobalAveragePooling2D"])
    assert "a stock Conv2D does not commute with C4" in lint(stock)[0].message


def test_mirrors_are_not_claimed():
    lifting = {"LiftingConv2D": {"filters": 2, "kernel_size": 3, "group": "D4", "padding": "same"}}
    spec = {**network(), "layers": [lifting, "GroupPooling", CONV, *END]}
    assert "commutes with rotations, not with the mirrors of D4" in lint(spec)[0].message


def test_features_on_their_way():
    walked = trace(load_spec(network()))
    assert [str(traced.features.layout) for traced in walked.layers] == ["harmonic", "harmonic", "image", "invariant"]
    (problem,) = lint(network(end=[]))
    assert problem.severity == "warning"
    assert "end with HarmonicMagnitude and GlobalAveragePooling2D" in problem.message


def test_layers_that_pass_are_exact():
    model = build_from_spec(network(*FINE.values()))
    report = ke.certify(model)
    assert report.exact and report.group == "C4"
