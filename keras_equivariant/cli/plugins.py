"""Modules that add layers, groups, data sets and formats of other packages to the command line."""

import importlib
import importlib.metadata
import os
import sys

GROUP = "keras_equivariant.plugins"


def load_plugins(modules=()):
    """Import what other packages announce and what a command names; importing a plugin is to register what it brings.

    An installed package announces modules by entry points of the group `keras_equivariant.plugins`. Modules that a
    command names may lie in the working directory.

    Args:
        modules: names of modules.

    Raises:
        ImportError: a plugin cannot be imported; the message says which.
    """
    for point in importlib.metadata.entry_points(group=GROUP):
        _load(f"{point.value} of the installed plugin {point.name}", point.load)
    if modules and not {"", os.getcwd()} & set(sys.path):
        sys.path.append(os.getcwd())
    for name in modules:
        _load(name, lambda name=name: importlib.import_module(name))


def _load(name, load):
    try:
        load()
    except ImportError as error:
        raise ImportError(f"A plugin must be a module that can be imported. Received: {name} ({error})") from error
