"""How a proof holds where sums of floats are rounded to a step behind: said, as the step may be the next one."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_equivariant as ke

STEPS = {
    "sign": keras.ops.sign,
    "compare": lambda x: keras.ops.where(x > 0.1, x, 0.5 * x),
    "hard_shrink": layers.Activation("hard_shrink"),
    "none": layers.Activation("relu"),
}


@pytest.mark.parametrize("file", ["keras", "onnx", "tflite"])
@pytest.mark.parametrize("step", STEPS)
def test_steps_behind_sums_of_floats_are_said(step, file, tmp_path):
    image = keras.Input((8, 8, 1))
    x = ke.layers.LiftingConv2D(2, 3, group="C4")(image)
    model = keras.Model(image, ke.layers.GroupPooling("max")(STEPS[step](x)))
    artifact = ke.fold(model) if file == "keras" else ke.export(model, tmp_path, [file]).path(file)
    proof = ke.prove(artifact, "C4")
    assert proof.verdict == "proved"
    assert proof.steps_of_sums == (step != "none") == ("step" in proof.holds)


def test_integers_are_summed_behind_functions_of_floats(tmp_path):
    image = keras.Input((8, 8, 1))
    x = ke.layers.LiftingConv2D(2, 3, group="C4", activation="elu")(image)
    x = ke.layers.GroupConv2D(2, 3, group="C4", activation="elu")(x)
    model = keras.Model(image, ke.layers.GroupPooling("max")(x))
    samples = np.random.default_rng(0).standard_normal((8, 8, 8, 1)).astype("float32")
    proof = ke.prove(ke.export(model, tmp_path, ["tflite_int8"], representative_data=samples).path("tflite_int8"), "C4")
    assert proof.verdict == "proved" and proof.integers and not proof.steps_of_sums
