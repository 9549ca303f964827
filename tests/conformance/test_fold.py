"""Every layer becomes stock Keras layers with the same numbers, and those run as a SavedModel and in TFLite."""

import catalogue
import keras
import numpy as np
import pytest

import keras_equivariant as ke

pytestmark = pytest.mark.tensorflow

PARTS = 16  # of the catalogue, a file each


def close(found, expected, case):
    found, expected = np.asarray(found), np.asarray(expected)
    error = np.abs(found.reshape(expected.shape) - expected).max()
    assert error <= 1e-5 * max(np.abs(expected).max(), 1), case


@pytest.fixture
def classifier(network):
    """The case's layer between an image and a pooled output, so that the folded model stays 4-D inside."""

    def make(case):
        model = network(case)
        if case.into == "image" or isinstance(case.into, ke.FieldType) or len(case.shape) < 4:
            inputs, x = model.input, model.output
        elif case.into == "harmonic":
            *space, orders, _, fields = case.shape
            inputs = keras.Input((*space, 2))
            x = ke.layers.HarmonicConv2D(fields, 3, max_order=orders - 1, padding="same")(inputs)
            x = model.layers[-1](x)
        else:
            *space, _, fields = case.shape
            inputs = keras.Input((*space, 2))
            lift = getattr(ke.layers, f"LiftingConv{len(space)}D")
            x = lift(fields, 1, case.group)(inputs)
            x = model.layers[-1](x)
        return keras.Model(inputs, x)

    return make


def test_folded_model_is_equal(case, classifier):
    model = classifier(case)
    folded = ke.fold(model)
    assert not any(type(layer).__module__.startswith("keras_equivariant") for layer in folded.layers)
    x = np.random.default_rng(0).normal(size=(3, *model.input_shape[1:])).astype("float32")
    close(folded(x), model(x), case)


@pytest.mark.parametrize("part", range(PARTS))
def test_exported_models_run(part, classifier, tmp_path):
    """Side by side in one file: most of what an export takes is the same for each file."""
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    cases = catalogue.CATALOGUE[part::PARTS]
    models = [classifier(case) for case in cases]
    inputs = [keras.Input(model.input_shape[1:], name=f"x{i}") for i, model in enumerate(models)]
    outputs = {f"y{i}": model(x) for i, (model, x) in enumerate(zip(models, inputs, strict=True))}
    ke.export(keras.Model(inputs, outputs), tmp_path / "out", formats=["saved_model", "tflite"], verify=False)
    rng = np.random.default_rng(0)
    x = {x.name: rng.normal(size=(3, *x.shape[1:])).astype("float32") for x in inputs}
    saved = tf.saved_model.load(str(next((tmp_path / "out").rglob("saved_model.pb")).parent))
    from_saved = saved.signatures["serving_default"](**{name: tf.constant(values) for name, values in x.items()})
    interpreter = Interpreter(str(next((tmp_path / "out").rglob("*.tflite"))))
    from_tflite = interpreter.get_signature_runner()(**x)
    for i, (case, model) in enumerate(zip(cases, models, strict=True)):
        expected = model(x[f"x{i}"])
        close(from_saved[f"y{i}"], expected, case)
        close(from_tflite[f"y{i}"], expected, case)
