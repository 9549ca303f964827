"""Reading files of Keras models, with the real reason where one cannot be read."""

import os
import re

import keras


def load_model(path: str | os.PathLike[str], compile: bool = True) -> keras.Model:
    """The Keras model of a file.

    Raises:
        ValueError: the file needs classes that are not known here, holds Python code, or is no whole model.
    """
    try:
        return keras.saving.load_model(path, compile=compile)
    except Exception as error:  # those of zipfile, h5py and Keras have no common base
        text = str(error)
        named = re.search(r"Could not locate (?:class|function) '(\w+)'", text)
        if named:
            raise ValueError(
                f"A model of classes of your own is loaded with them. Received: {path}, which needs {named[1]}; import "
                "the module that defines it first (on the command line --plugin MODULE, a file MODULE.py in this "
                "folder), decorated with @keras.saving.register_keras_serializable()."
            ) from error
        if "enable_unsafe_deserialization" in text:
            raise ValueError(
                f"A model that holds Python code, in a Lambda, is loaded only if you trust it. Received: {path}; call "
                "keras.config.enable_unsafe_deserialization() first (on the command line in a file MODULE.py, with "
                "--plugin MODULE), or replace the Lambda by a layer of your own."
            ) from error
        first_line = (text.strip() or type(error).__name__).splitlines()[0]
        raise ValueError(
            f"The file must be a whole Keras model. Received: {path} ({first_line}). "
            "Save it again with model.save(...), or train again."
        ) from error
