"""Networks whose ranges are too wide for integers are refused with remedies, which help."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_equivariant as ke
from keras_equivariant.export import ExportError

pytestmark = pytest.mark.tensorflow


def test_a_small_part_of_a_wide_range(tmp_path):
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Rescaling(1.0, 600.0), layers.ReLU(), layers.Rescaling(1.0, -600.0)],
        name="wide",
    )
    data = {"representative_data": np.random.default_rng(0).standard_normal((8, 8, 8, 1)).astype("float32")}
    with pytest.raises(ExportError, match=r"Use tflite_float16, .* `tolerance=\{\"tflite_int8\": ...\}`"):
        ke.export(model, tmp_path, ["tflite_int8"], **data)
    assert ke.export(model, tmp_path, ["tflite_int8"], tolerance={"tflite_int8": 0.9}, **data).passed
    assert ke.export(model, tmp_path, ["tflite_float16"]).passed
