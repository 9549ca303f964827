"""Every packaged spec in every format, each artefact run and certified in its runtime. Takes minutes: marked slow."""

import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.equivariance.models import random_inputs

# Parameters that make each network small; its layers stay the same.
SMALL = {
    "all_cnn": {"filters": 4},
    "e2_sfcnn": {"width": 0.1, "group": "C8"},
    "e2_wrn_16_8": {"blocks": 1, "width": 1},
    "e2_wrn_28_10": {"blocks": 1, "width": 1},
    "hnet_rotated_mnist": {"filters": 2},
    "hnet_segmentation": {"width": 2, "size": 32, "stages": 3},
    "p4_cnn": {"filters": 4},
    "p4_cnn_rotation_pooling": {"filters": 4},
    "p4m_resnet": {"blocks": 1, "filters": 4},
    "so2_irreps": {"filters": 2},
    "steerable_d4_resnet": {"blocks": 1, "width": 8},
    "unet_segmentation": {"width": 2, "size": 32},
    "z2_cnn": {"filters": 4},
}
# What a format cannot hold: the spec and the format to the error that says so.
UNSUPPORTED = {}
FORMATS = ("saved_model", "tflite", "tflite_float16", "tflite_int8", "onnx", "openvino", "keras")

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]


def test_every_spec_is_here():
    assert set(SMALL) == set(ke.list_specs())


@pytest.fixture(scope="module")
def network():
    """The network of a spec and a few inputs, made once for all formats."""
    made = {}

    def make(name):
        if name not in made:
            model = ke.build_from_spec(name, **SMALL[name])
            inputs = random_inputs(model, ke.groups.get("C1"), 16, 32, seed=0)
            made.clear()
            made[name] = model, inputs
        return made[name]

    return make


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", SMALL)
def test_export(name, format, network, tmp_path):
    model, inputs = network(name)
    if (name, format) in UNSUPPORTED:
        with pytest.raises(ValueError, match=UNSUPPORTED[name, format]):
            ke.export(model, tmp_path, format, representative_data=inputs)
        return
    report = ke.export(model, tmp_path, format, representative_data=inputs)
    assert report.passed
    (artefact,) = report.artefacts
    assert artefact.batches == (1, 3)
    assert np.isfinite(artefact.relative_error)
    if artefact.equivariance and max(report.equivariance.values()) < 1e-5:
        assert max(artefact.equivariance.values()) <= (1e-2 if format == "tflite_int8" else 1e-5)
