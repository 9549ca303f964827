"""An artifact may differ from its model by what the model's own outputs round by, and by no more."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_equivariant.export.report import Artifact
from keras_equivariant.export.verify import Reference, verify

pytestmark = pytest.mark.tensorflow
FORMAT = SimpleNamespace(
    name="tflite", tolerance=1e-5, foreign="Flex", explains=lambda path: "", symmetry_lost=lambda typed: 1e-5
)
SOURCE = SimpleNamespace(named=lambda arrays: {"x": arrays[0]}, output_names=["y"], file=lambda format: None)


def canceling(offset):
    """A sum that nearly cancels: float32 rounds by about 1e-7 times the offset."""
    image = keras.Input((6, 6, 1))
    large = keras.layers.Rescaling(1.0, offset)(keras.layers.Conv2D(3, 1)(image))
    return keras.Model(image, keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1.0, -offset)(large)))


def verified(model, error, tolerance=None):
    """The problems of an artifact whose outputs are off by `error` times the model's largest."""
    inputs = [np.random.default_rng(0).normal(size=(3, 6, 6, 1)).astype("float32")]
    reference = Reference(model, model, inputs, "C4")
    off = error * np.abs(reference.outputs[0]).max()
    run = lambda arrays: {"y": keras.ops.convert_to_numpy(model(arrays["x"])) + off}  # noqa: E731
    found = verify(Artifact("tflite", "a", 1), FORMAT, run, SOURCE, reference, tolerance)
    return [problem for problem in found.problems if "outputs differ" in problem], reference


def test_as_much_as_the_model_rounds():
    keras.utils.set_random_seed(0)
    model = canceling(300.0)
    problems, reference = verified(model, 0.0)
    assert not problems and reference.own_rounding > 4e-6
    assert not verified(model, 1.2e-5)[0]


@pytest.mark.parametrize(("offset", "error", "tolerance"), [(0.0, 5e-5, None), (1e3, 1e-3, None), (1e3, 5e-5, 1e-5)])
def test_no_more(offset, error, tolerance):
    """Of a model that does not amplify rounding; beyond ten times the tolerance; beyond one that is given."""
    keras.utils.set_random_seed(0)
    assert verified(canceling(offset), error, tolerance)[0]
