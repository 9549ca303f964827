"""The toy package, registered for these tests only."""

import importlib
import sys

import pytest

from keras_equivariant.compiler.grammar import registry as layers
from keras_equivariant.data import registry as sets
from keras_equivariant.export.formats import registry as formats
from keras_equivariant.groups import registry as groups


@pytest.fixture(scope="module")
def toy():
    registries = (layers._registered, sets._loaders, formats._formats, groups._registered)
    before = [dict(registry) for registry in registries]
    yield importlib.import_module("toy_plugin")
    del sys.modules["toy_plugin"]
    for registry, entries in zip(registries, before, strict=True):
        registry.clear()
        registry.update(entries)
    layers.forget()
