"""The command line starts light: until its arguments are parsed, packages wait with the names that need a framework.

Everywhere else, in scripts and notebooks, a package binds its names at once, so that saved models find their layers.
"""

import importlib
import pathlib
import sys

COMMAND, PACKAGE = "keras-equivariant", "keras_equivariant"
_waiting = []


def is_command_line(argv, original):
    """Whether Python was started as `keras-equivariant` or by `python -m keras_equivariant`.

    Args:
        argv, original: `sys.argv` and `sys.orig_argv`.
    """
    script = pathlib.Path(argv[0]).name if argv else ""
    if script.removesuffix(".exe").removesuffix(".py").removesuffix("-script") == COMMAND:
        return True
    return script == "-m" and ("-m", PACKAGE) in zip(original, original[1:], strict=False)


_light = is_command_line(sys.argv, sys.orig_argv)


def is_light(package):
    """Whether a package is to wait with its names; `complete` binds them."""
    if _light:
        _waiting.append(package)
    return _light


def complete():
    """Binds the names of all packages that waited for it, the innermost first."""
    global _light
    _light = False
    while _waiting:
        importlib.reload(sys.modules[_waiting.pop()])
