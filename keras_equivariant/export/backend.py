"""Access to TensorFlow and to the LiteRT runtime, imported where they are used."""

import keras


def tensorflow(formats):
    """The tensorflow module; ValueError where Keras runs on another backend."""
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"SavedModel and TFLite are written by TensorFlow only. Received: formats={list(formats)} on the "
            f'"{keras.backend.backend()}" backend. Save the model with model.save("model.keras") (or with '
            'formats=["keras"]), set the environment variable KERAS_BACKEND=tensorflow, load it and export it there.'
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
