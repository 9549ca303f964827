"""Access to TensorFlow and to the runtimes of the artifacts, imported where they are used."""

from keras_equivariant.utils.optional import require


def tensorflow(formats):
    """The tensorflow module; ValueError where Keras runs on another backend."""
    import keras

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
    purpose = "Running a .tflite file (export verifies it unless verify=False)"
    return tuple(require(f"ai_edge_litert.{name}", purpose) for name in ("interpreter", "schema_py_generated"))
