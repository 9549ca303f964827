"""The names that outputs have in an exported file, and in a proof of it."""

import keras


def output_names(model):
    """Names of the outputs in a SavedModel's signature, in the order of `keras.tree.flatten`.

    Those of a flat dict are its keys; a signature has no structure inside another one, so that all others are numbered.
    """
    outputs = model.output
    if isinstance(outputs, dict) and all(isinstance(x, keras.KerasTensor) for x in outputs.values()):
        return keras.tree.flatten({key: key for key in outputs})
    return [f"output_{i}" for i in range(len(model.outputs))]
