"""Keras's own files, of stock layers only: they load where this package is not installed."""

from keras_equivariant.export.folding.block_rule import TENSORFLOW
from keras_equivariant.export.formats.format import Format
from keras_equivariant.stock import copies


def write(source, path):
    try:
        source.model.save(path)
    except NotImplementedError as error:  # what Keras raises for an operation that it cannot describe
        raise ValueError(
            "A .keras file holds layers and operations without functions of their own. Received: a model with a "
            'loop, such as the subsampling of points; export it as "saved_model" or "tflite"'
        ) from error


def refused(model):
    """Why a folded model is not of stock layers alone: it takes the gradient of one that is; else None."""
    own = next((layer for layer in model.layers if not copies.is_stock(layer)), None)
    return own and (
        "A .keras file for Keras alone holds stock layers, and none of them takes a gradient. Received: the format "
        f'keras for a model with {copies.describe(own)}; export it as "saved_model", "tflite" or "onnx", or save '
        'the model itself, model.save("model.keras")'
    )


def load(path, source):
    import keras

    return source.runner(keras.models.load_model(path))


FORMAT = Format(
    name="keras",
    file="{name}.keras",
    purpose="Keras without keras_equivariant",
    write=write,
    load=load,
    refuses=refused,
    pointwise=TENSORFLOW,
)
