"""The examples in the docstrings of groups and kernels run and print what they say."""

import doctest
import importlib
import pkgutil

import pytest

from keras_equivariant import groups, kernels

MODULES = [
    f"{package.__name__}.{module.name}"
    for package in (groups, kernels)
    for module in pkgutil.iter_modules(package.__path__)
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    assert doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    found = [test for name in MODULES for test in finder.find(importlib.import_module(name)) if test.examples]
    assert len(found) >= 10
