"""Which line of the user's a warning is about."""

import os
import pathlib
import sys

import keras

_FOLDERS = pathlib.Path(keras.__file__).parent, pathlib.Path(__file__).parents[1]
_LIBRARIES = tuple(f"{folder}{os.sep}" for folder in _FOLDERS)


def users_frame():
    """The `stacklevel` of the first frame that belongs neither to Keras nor to this package, seen from the caller."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_LIBRARIES):
        frame, level = frame.f_back, level + 1
    return level
