"""Every layer becomes stock Keras layers with the same numbers, and those run as a SavedModel and in TFLite."""

import keras
import numpy as np
import pytest

import keras_equivariant as ke

pytestmark = pytest.mark.tensorflow


def close(found, expected):
    expected = np.asarray(expected)
    assert np.abs(np.asarray(found).reshape(expected.shape) - expected).max() <= 1e-5 * max(np.abs(expected).max(), 1)


@pytest.fixture
def classifier(network):
    """The case's layer between an image and a pooled output, so that the folded model stays 4-D inside."""

    def make(case):
        model = network(case)
        if case.into == "image" or isinstance(case.into, ke.FieldType) or len(case.shape) < 4:
            inputs, x = model.inputs, model.output
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
    close(folded(x), model(x))


def test_exported_model_runs(case, classifier, tmp_path):
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    model = classifier(case)
    ke.export(model, tmp_path / "out", formats=["saved_model", "tflite"], verify=False)
    x = np.random.default_rng(0).normal(size=(3, *model.input_shape[1:])).astype("float32")
    saved = tf.saved_model.load(str(next((tmp_path / "out").rglob("saved_model.pb")).parent))
    close(next(iter(saved.signatures["serving_default"](tf.constant(x)).values())), model(x))
    interpreter = Interpreter(str(next((tmp_path / "out").rglob("*.tflite"))))
    run = interpreter.get_signature_runner()
    (name,) = run.get_input_details()
    close(next(iter(run(**{name: x}).values())), model(x))
