"""Optional packages, imported where they are used."""

import importlib


def require(module, purpose, extra="train"):
    """Import an optional module.

    Args:
        module: its absolute name.
        purpose: str, what needs it, the subject of the error's first sentence.
        extra: str, the extra of this package that brings it.

    Raises:
        ImportError: it is not installed; the message says what needs it and how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{purpose} needs the package `{module.split('.')[0]}`. Received: {error}. "
            f'Install it: pip install "keras-equivariant[{extra}]"'
        ) from error
