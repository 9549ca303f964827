"""Classes that are tested on and were never trained on are named before a network is trained."""

import numpy as np
import pytest

import keras_equivariant as ke

X = np.zeros((8, 4, 4, 1), "float32")


@pytest.mark.parametrize(
    ("taught", "tested", "said"),
    [
        ([0, 1] * 4, [0, 1, 2, 3] * 2, "2 classes are tested on that no training image is of"),
        ([0, 1, 2, 3] * 2, [0, 1] * 4, ""),
    ],
)
def test_they_are_named(taught, tested, said, caplog):
    names = ("cat", "dog", "hen", "owl")
    data = ke.data.Dataset("set", "", X, np.array(taught), X, np.array(tested), class_names=names)
    with caplog.at_level("WARNING", logger="keras_equivariant"):
        data.log_untaught()
    assert said in caplog.text and ("hen, owl" in caplog.text) == bool(said) and bool(caplog.text) == bool(said)
