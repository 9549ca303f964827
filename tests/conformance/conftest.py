import zlib

import catalogue
import keras
import numpy as np
import pytest


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        cases = [c for c in catalogue.CATALOGUE if "stock_case" not in metafunc.function.__name__ or c.stock]
        metafunc.parametrize("case", cases, ids=str)


@pytest.fixture(autouse=True)
def _seed():
    keras.utils.set_random_seed(0)


@pytest.fixture
def sample():
    """A batch for a case: the same numbers in every process."""

    def make(case, batch=2, dtype="float32"):
        rng = np.random.default_rng(zlib.crc32(str(case).encode()))
        return rng.normal(size=(batch, *case.shape)).astype(dtype)

    return make


@pytest.fixture
def network():
    """The case's layer as a model, with weights that leave nothing at its initial zeros and ones."""

    def make(case, dtype="float32", **kwargs):
        inputs = keras.Input(case.shape, dtype=dtype if isinstance(dtype, str) and dtype.startswith("float") else None)
        layer = case.make(dtype=dtype, name="layer", **kwargs)
        model = keras.Model(inputs, case.connect(layer, inputs), name="network")
        rng = np.random.default_rng(1)
        layer.set_weights([_weight(w, rng) for w in layer.weights])
        return model

    return make


def _weight(variable, rng):
    shape = tuple(variable.shape)
    if len(shape) > 1:
        return rng.normal(size=shape) / np.sqrt(np.prod(shape[:-1]))
    return rng.uniform(0.2, 0.8, size=shape)  # positive: variances are among them
