"""from_escnn(): a trained network of escnn as a Keras model with the same numbers."""

from __future__ import annotations

import json
import os
from typing import Any

import keras
import numpy as np

from keras_equivariant.transfer import escnn_writer
from keras_equivariant.transfer.escnn_modules import NotHere, Step, layers_of
from keras_equivariant.transfer.escnn_types import Types
from keras_equivariant.utils.arrays import read_arrays


def from_escnn(
    module: Any,
    input_shape: tuple[int | None, ...] | None = None,
    strict: bool = True,
    name: str | None = None,
) -> keras.Model:
    """A network of escnn as a Keras model of our layers, with its weights: the same function.

    Every module becomes the layer that computes the same, by its own rings, widths and frequencies. Groups and
    representations are compared as matrices, so that fields may be of any kind and mirror axes any. Channels come out
    in our order; those of scalars keep theirs.

    Args:
        module: an escnn module, a SequentialModule mostly, in a process that has both libraries; or the path of the
            .npz file that `escnn_writer.write(module, path)` made where there is only escnn. The file
            `keras_equivariant/transfer/escnn_writer.py` needs nothing but NumPy beside it.
        input_shape: sizes of space, such as `(28, 28)`; None for any.
        strict: raise where the sizes break the exact symmetry, about which escnn says nothing; with False warn once.
        name: name of the model.

    Returns:
        A functional model from `(B, *space, channels)`; above no space from `(B, channels)`.

    Raises:
        ValueError: a module, or an option of it, that computes what no layer here does; sizes that break the exact
            symmetry; a file of another kind.

    Example:
        >>> import keras_equivariant as ke
        >>> model = ke.from_escnn("trained.npz", input_shape=(29, 29))  # doctest: +SKIP

    Equivariance: that of the layers: exact where the module's was, on sizes that the windows cover evenly.

    Reference: Cesa, Lang & Weiler, A Program to Build E(N)-Equivariant Steerable CNNs, ICLR 2022 (escnn).
    """
    record, arrays = _read(module)
    types = Types(record, arrays)
    steps = [_step(described, types, arrays, strict) for described in record["steps"]]
    if not steps:
        raise ValueError("The network must have a module. Received: an empty SequentialModule")
    dimension = record["groups"][record["types"][record["steps"][0]["in"]]["space"]]["dimension"]
    space = (None,) * dimension if input_shape is None else tuple(input_shape)
    if len(space) != dimension:
        raise ValueError(
            f"`input_shape` must have one size for each axis of space, {dimension}. Received: input_shape={space}"
        )
    inputs = x = keras.Input((*space, steps[0].type.size))
    setters = []
    for step in steps:
        try:
            layers, set_weights = layers_of(step)
        except NotHere as error:
            raise ValueError(f"What comes from escnn {error}") from None
        for layer in layers:
            x = layer(x)
        setters.append(set_weights)
    model = keras.Model(inputs, x, name=name)
    for set_weights in setters:
        set_weights()
    return model


def _read(module):
    if isinstance(module, str | os.PathLike):
        arrays = read_arrays(module, what="A network of escnn")
        if "record" not in arrays:
            raise ValueError(
                f"The file must be one that escnn_writer.write made. Received: {module}, without its record; for "
                "single filters use ke.import_filters"
            )
        return _checked(json.loads(str(arrays.pop("record")))), arrays
    if not hasattr(module, "in_type"):
        raise ValueError(
            "`module` must be an escnn module or the path of an .npz file that escnn_writer.write made. "
            f"Received: {type(module).__name__}"
        )
    return escnn_writer.describe(module)


def _checked(record):
    if record.get("format") != escnn_writer.FORMAT:
        raise ValueError(
            f"The file must be of format {escnn_writer.FORMAT}. Received: format {record.get('format')}; write it "
            "with the escnn_writer.py of this version"
        )
    return record


def _step(described, types, arrays, strict):
    return Step(
        name=described["name"],
        kind=described["kind"],
        options=described["options"],
        arrays={key: np.asarray(arrays[place], "float64") for key, place in described["arrays"].items()},
        before=types[described["in"]],
        after=types[described["out"]],
        dims=types.dims(described["in"]),
        strict=strict,
    )
