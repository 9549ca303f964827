"""Optional packages, imported where they are used."""

import importlib


def require(module, purpose):
    """Import `module`, or raise an ImportError that says what needs it and how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{purpose} needs the package `{module.split('.')[0]}`. Received: {error}. "
            "Install the training extras: pip install 'keras-equivariant[train]'"
        ) from error
