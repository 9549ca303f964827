"""Channels of very unlike sizes: one error for all of them says nothing of the small ones, which the notes say."""

import keras
import pytest

import keras_equivariant as ke


@pytest.mark.parametrize(("scale", "verdict", "hidden"), [(1e10, "broken", False), (1e14, "exact", True)])
def test_channels_too_small_to_show_an_error_are_named(scale, verdict, hidden):
    image = keras.Input((9, 9, 1))
    lifted = ke.layers.LiftingConv2D(2, 3, group="C4")(image)
    invariant = keras.layers.GlobalAveragePooling2D()(ke.layers.GroupPooling("max")(lifted))
    broken = keras.layers.Dense(2)(keras.layers.Flatten()(image))
    model = keras.Model(image, keras.layers.Concatenate()([keras.layers.Rescaling(scale)(invariant), broken]))
    options = {"angles": 0, "layers": False, "dtypes": ("float64",)}
    report = ke.certify(model, "C4", **options)
    assert report.verdict == verdict
    notes = " ".join(report.notes)
    assert ("nothing is said of channels 2, 3 of output 0" in notes) == hidden and ("nothing" in notes) == hidden
    alone = keras.Model(image, model.output[:, 2:])  # the remedy
    assert ke.certify(alone, "C4", **options).verdict == "broken"
