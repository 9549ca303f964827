import keras
import pytest


def pytest_collection_modifyitems(items):
    if keras.backend.backend() != "tensorflow":
        for item in items:
            if item.get_closest_marker("tensorflow"):
                item.add_marker(pytest.mark.skip(reason="a property of the TensorFlow backend"))
