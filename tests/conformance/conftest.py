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
def _first_weights(request, monkeypatch):
    """JAX compiles a generator for each shape of a weight, and `network` sets all weights anyway: NumPy draws here."""
    case = getattr(request.node, "callspec", None) and request.node.callspec.params.get("case")
    if catalogue.JAX and case and not case.random:
        for name in ("normal", "uniform", "truncated_normal"):
            monkeypatch.setattr(keras.src.backend.random, name, _draw)


def _draw(shape, *args, dtype=None, **kwargs):
    return keras.ops.convert_to_tensor(np.random.default_rng(0).uniform(size=shape).astype(dtype or "float32"))


@pytest.fixture(scope="session")
def sample():
    """A batch for a case: the same numbers in every process."""

    def make(case, batch=2, dtype="float32"):
        rng = np.random.default_rng(zlib.crc32(str(case).encode()))
        return rng.normal(size=(batch, *case.shape)).astype(dtype)

    return make


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def answers():
    """The outputs of each network by case, for the tests that compare with them."""
    return {}


@pytest.fixture
def answer(answers, network, sample):
    """What the case's network answers to its sample, computed once in a process."""

    def find(case):
        index = catalogue.CATALOGUE.index(case)
        if index not in answers:
            answers[index] = catalogue.outputs(network(case), sample(case))
        return answers[index]

    return find


def _weight(variable, rng):
    shape = tuple(variable.shape)
    if len(shape) > 1:
        return rng.normal(size=shape) / np.sqrt(np.prod(shape[:-1]))
    return rng.uniform(0.2, 0.8, size=shape)  # positive: variances are among them
