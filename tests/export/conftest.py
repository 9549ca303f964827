import keras
import pytest
from export_models import random_inputs, randomize, relative_error

from keras_equivariant.export.folding.fold import fold


@pytest.fixture
def check_fold():
    """Folds a model of random weights; returns the folded model after comparing the numbers."""

    def check(model, tolerance=1e-5, **kwargs):
        randomize(model)
        folded = fold(model, **kwargs)
        inputs = random_inputs(model)
        actual, expected = folded(inputs), model(inputs, training=False)
        keras.tree.assert_same_structure(actual, expected)
        assert relative_error(actual, expected) <= tolerance
        for layer in folded.layers:
            assert type(layer).__module__.split(".")[0] == "keras"
        return folded

    return check
