"""What another package adds: a layer used from a spec, a group, a data set to train on, a format that is verified."""

import copy
import dataclasses
import json
import re

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.cli import main


def replaced(spec, old, new):
    """The spec with another layer in the place of one."""
    spec = copy.deepcopy(spec)
    spec["layers"] = [new if isinstance(layer, dict) and old in layer else layer for layer in spec["layers"]]
    return spec


@pytest.fixture(scope="module")
def model(toy):
    keras.utils.set_random_seed(0)
    return ke.build_from_spec(toy.SPEC)


def test_a_layer_from_a_spec_is_linted_certified_folded_and_exported(toy, model, tmp_path):
    assert ke.lint(toy.SPEC) == []
    gate = next(layer for layer in model.layers if isinstance(layer, toy.ToyGate))
    assert gate.start == 2.0 and gate.name == "toy_gate"
    assert ke.certify(model).exact
    x = np.random.default_rng(0).uniform(0, 255, (3, 9, 9, 1)).astype("float32")
    folded = ke.fold(model)
    assert not any(type(layer).__module__.startswith(("keras_equivariant", "toy")) for layer in folded.layers)
    np.testing.assert_allclose(folded(x), model(x), rtol=1e-5, atol=1e-6)
    assert ke.export(model, tmp_path, ["saved_model", "tflite"]).passed
    model.save(tmp_path / "toy.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "toy.keras")(x), model(x))


def test_a_layer_that_has_not_the_symmetry_is_found(toy):
    report = ke.certify(ke.build_from_spec(replaced(toy.SPEC, "ToyGate", {"ToyTilt": 2.0})))
    assert report.verdict == "broken"


def test_a_layer_is_in_the_schema_and_its_mistakes_are_found(toy):
    schema = ke.compiler.json_schema()["$defs"]
    assert schema["layer_ToyGate"]["properties"]["start"]["default"] == 1.0
    for layer, hint in (({"ToyGate": {"strat": 2.0}}, 'Did you mean "start"?'), ("ToyGat", 'Did you mean "ToyGate"?')):
        with pytest.raises(ke.SpecError, match=re.escape(hint)):
            ke.lint(replaced(toy.SPEC, "ToyGate", layer))


def test_layers_that_cannot_be_registered():
    with pytest.raises(TypeError, match="must be a subclass of keras_equivariant.EquivariantLayer. Received: .*Dense"):
        ke.register_layer(keras.layers.Dense)
    with pytest.raises(ValueError, match="must differ from those of the package. Received: 'GroupConv2D'"):
        ke.register_layer(type("GroupConv2D", (ke.EquivariantLayer,), {}))


def test_a_format_is_exported_and_verified(toy, model, tmp_path):
    report = ke.export(model, tmp_path, "toy_weights")
    (artifact,) = report.artifacts
    assert report.passed and artifact.operations == ("WEIGHTS",) and artifact.relative_error <= 1e-5
    assert max(artifact.equivariance.values()) <= 1e-5 and len(artifact.equivariance) == 4
    assert report.path("toy_weights") == tmp_path / "toy.weights.npz"
    assert "toy_weights" in ke.export.format_names()


def test_a_format_that_holds_something_else_is_found(toy, model, tmp_path):
    def load(path, source):
        run = toy.load(path, source)
        return lambda inputs: {name: 1.01 * y for name, y in run(inputs).items()}

    ke.export.register_format(dataclasses.replace(toy.TOY_WEIGHTS, load=load))
    try:
        with pytest.raises(ke.ExportError, match="differ from the Keras model's"):
            ke.export(model, tmp_path, "toy_weights")
    finally:
        ke.export.register_format(toy.TOY_WEIGHTS)
    assert not (tmp_path / "toy.weights.npz").exists()
    refusing = dataclasses.replace(toy.TOY_WEIGHTS, name="toy_none", refuses=lambda served: "It holds nothing")
    foreign = dataclasses.replace(toy.TOY_WEIGHTS, name="toy_foreign", foreign=("WEI",))
    needing = dataclasses.replace(toy.TOY_WEIGHTS, name="toy_needing", writes_with=("no_such_module",), extra="onnx")
    for format, error, message in (
        (refusing, ValueError, "It holds nothing"),
        (foreign, ke.ExportError, r"operations that its runtime does not have: \['WEIGHTS'\]"),
        (needing, ImportError, r'Writing the format "toy_needing" needs the package `no_such_module`.*\[onnx\]'),
        (dataclasses.replace(toy.TOY_WEIGHTS, name="toy_jax", backend="none"), ValueError, "on the none backend"),
    ):
        ke.export.register_format(format)
        with pytest.raises(error, match=message):
            ke.export(model, tmp_path, format.name)


def test_formats_that_cannot_be_registered(toy):
    with pytest.raises(ValueError, match="must differ from those of the package.*Received: 'onnx'"):
        ke.export.register_format(dataclasses.replace(toy.TOY_WEIGHTS, name="onnx"))
    with pytest.raises(ValueError, match="must consist of letters"):
        ke.export.register_format(dataclasses.replace(toy.TOY_WEIGHTS, name="../up"))
    with pytest.raises(TypeError, match="must be a keras_equivariant.export.Format"):
        ke.export.register_format("onnx")


def test_a_data_set_is_trained_on(toy, tmp_path):
    assert ke.data.load("toy_stripes", seed=1, size=12).image_shape == (12, 12, 1)
    options = {"angle_step": 90, "verbose": 0}
    result = ke.train(toy.SPEC, "toy_stripes", tmp_path / "run", export_formats=["toy_weights"], **options)
    assert result.certificate.exact and result.summary["data"] == "toy_stripes"
    assert result.summary["export"] == ["toy.weights.npz"]


def test_data_sets_that_cannot_be_registered_or_loaded(toy):
    with pytest.raises(ValueError, match="must differ from those of the package.*Received: 'digits'"):
        ke.data.register("digits", toy.load_stripes)
    with pytest.raises(ValueError, match="must consist of letters"):
        ke.data.register("stripes.npz", toy.load_stripes)
    with pytest.raises(TypeError, match="must be a function"):
        ke.data.register("toy_array", np.zeros(3))
    ke.data.register("toy_array", lambda: np.zeros(3))
    with pytest.raises(TypeError, match="must return a keras_equivariant.data.Dataset. Received: ndarray"):
        ke.data.load("toy_array")
    with pytest.raises(ValueError, match="Unknown option of a data set. Received: sized.*It takes size"):
        ke.data.load("toy_stripes", sized=3)
    with pytest.raises(ValueError, match='Did you mean "toy_stripes"'):
        ke.data.load("toy_stripe")
    ke.data.register("toy_other", lambda **options: toy.load_stripes(**options))
    assert ke.data.load("toy_other", size=6).name == "toy_other"


def test_a_plugin_by_its_name(toy, tmp_path, capsys):
    (tmp_path / "toy.json").write_text(json.dumps(toy.SPEC))
    assert main(["summary", str(tmp_path / "toy.json"), "--plugin", "toy_plugin"]) == 0
    assert "ToyGate" in capsys.readouterr().out
    assert main(["--plugin", "toy_plugins", "summary", str(tmp_path / "toy.json")]) == 2
    assert "A plugin must be a module that can be imported. Received: toy_plugins" in capsys.readouterr().err
