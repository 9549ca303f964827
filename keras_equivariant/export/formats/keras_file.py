"""Keras's own files, of stock layers only: they load where this package is not installed."""

from keras_equivariant.export.folding.block_rule import TENSORFLOW
from keras_equivariant.export.formats.format import Format


def write(source, path):
    try:
        source.model.save(path)
    except NotImplementedError as error:  # what Keras raises for an operation that it cannot describe
        raise ValueError(
            "A .keras file holds layers and operations without functions of their own. Received: a model with a "
            'loop, such as the subsampling of points; export it as "saved_model" or "tflite"'
        ) from error


def load(path, source):
    import keras

    return source.runner(keras.models.load_model(path))


FORMAT = Format(
    name="keras",
    file="{name}.keras",
    purpose="Keras without keras_equivariant",
    write=write,
    load=load,
    pointwise=TENSORFLOW,
)
