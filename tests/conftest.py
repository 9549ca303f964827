import gc
import os

import keras
import pytest


def pytest_configure(config):
    # Each program that XLA compiles runs a few times here, so that compiling is what takes time. Not for benchmarks. On
    # level 0 a convolution's gradient is NaN on some processors.
    if config.option.markexpr != "benchmark":
        flags = os.environ.get("XLA_FLAGS", "")
        if "xla_backend_optimization_level" not in flags:
            os.environ["XLA_FLAGS"] = f"{flags} --xla_backend_optimization_level=1".strip()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    keras.utils.set_random_seed(0)  # each test sees the same weights, in whatever order and process it runs


def pytest_collection_finish():
    gc.freeze()  # half a million objects of TensorFlow and Keras, which every full collection would walk through


def pytest_runtest_teardown(item, nextitem):
    if nextitem is not None and nextitem.path != item.path:  # what a file leaves behind is not walked through again
        gc.collect()
        gc.freeze()


def pytest_collection_modifyitems(items):
    if keras.backend.backend() != "tensorflow":
        for item in items:
            if item.get_closest_marker("tensorflow"):
                item.add_marker(pytest.mark.skip(reason="a property of the TensorFlow backend"))
