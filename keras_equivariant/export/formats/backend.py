"""Access to TensorFlow and to the runtimes of the artefacts, imported where they are used."""

import importlib

import keras


def tensorflow(formats):
    """The tensorflow module; ValueError where Keras runs on another backend."""
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "SavedModels, and the formats made from them, are written by TensorFlow only. "
            f'Received: formats={list(formats)} on the "{keras.backend.backend()}" backend. Save the model with '
            'model.save("model.keras") (or with formats=["keras"]), set the environment variable '
            "KERAS_BACKEND=tensorflow, load it and export it there."
        )
    import tensorflow

    return tensorflow


def litert():
    """The modules `(interpreter, schema)` of ai-edge-litert."""
    try:
        from ai_edge_litert import interpreter, schema_py_generated
    except ImportError as error:
        raise ImportError(
            "A .tflite file is verified in the runtime that will execute it, ai-edge-litert. It is not installed: "
            'pip install "keras-equivariant[train]", or export with verify=False.'
        ) from error
    return interpreter, schema_py_generated


def extra(format, module):
    """A module that only one format needs; ImportError says how to install it.

    Args:
        format: name of the format, and of the extra that brings the module.
        module: name of the module.
    """
    try:
        if module == "tf2onnx":
            importlib.import_module("tf2onnx.convert")  # brings tf2onnx.tf_loader
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f'The format "{format}" is written and verified with {module}. It is not installed: '
            f'pip install "keras-equivariant[{format}]".'
        ) from error
