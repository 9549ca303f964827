"""from_escnn(): a trained network of escnn as a Keras model with the same numbers."""

from __future__ import annotations

import json
import os
from typing import Any

import keras
import numpy as np

from keras_equivariant.transfer import escnn_writer
from keras_equivariant.transfer.escnn_modules import layers_of
from keras_equivariant.transfer.escnn_step import NotHere, Step
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
    in our order; those of scalars keep theirs. A module with a `forward` of its own (residual blocks, U-Nets) is run
    once on zeros: what it adds, scales, splits, restricts and concatenates (`tensor_directsum`) between its modules is
    joined here, too, and plain layers of torch behind the last escnn module come over with the rest.

    Args:
        module: an escnn module, a SequentialModule mostly, in a process that has both libraries; or the path of the
            .npz file that `escnn_writer.write(module, path)` made where there is only escnn. The files
            `escnn_writer.py` and `escnn_trace.py` of `keras_equivariant/transfer` need nothing but NumPy beside them.
        input_shape: sizes of space, such as `(28, 28)`; None for any. A module with a `forward` of its own, masks and
            pooling or upsampling to a size need it.
        strict: raise where the sizes, or the samples of a Fourier nonlinearity, break the exact symmetry, about which
            escnn says nothing; with False warn once.
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
    record, arrays = _read(module, input_shape)
    types = Types(record, arrays)
    if not record["steps"]:
        raise ValueError("The network must have a module. Received: an empty SequentialModule")
    first = record["steps"][0]["in"]
    dimension = record["groups"][record["types"][first]["space"]]["dimension"]
    space = (None,) * dimension if input_shape is None else tuple(input_shape)
    if len(space) != dimension:
        raise ValueError(
            f"`input_shape` must have one size for each axis of space, {dimension}. Received: input_shape={space}"
        )
    tensors = {escnn_writer.INPUT: keras.Input((*space, types[first][0].size))}
    setters = []
    for number, described in enumerate(record["steps"]):
        inputs = [tensors[i] for i in described.get("from", [number - 1])]
        step = _step(described, record["steps"], types, arrays, strict, [tuple(x.shape) for x in inputs])
        try:
            layers, set_weights = layers_of(step)
        except NotHere as error:
            raise ValueError(f"What comes from escnn {error}") from None
        x = inputs if len(inputs) > 1 else inputs[0]
        for layer in layers:
            x = layer(x)
        tensors[number] = x
        setters.append(set_weights)
    model = keras.Model(tensors[escnn_writer.INPUT], tensors[record.get("output", number)], name=name)
    for set_weights in setters:
        set_weights()
    return model


def _read(module, input_shape):
    if isinstance(module, str | os.PathLike):
        arrays = read_arrays(module, what="A network of escnn")
        if "record" not in arrays:
            raise ValueError(
                f"The file must be one that escnn_writer.write made. Received: {module}, without its record; for "
                "single filters use ke.import_filters"
            )
        return _checked(json.loads(str(arrays.pop("record")))), arrays
    if not hasattr(module, "named_modules"):
        raise ValueError(
            "`module` must be an escnn module or the path of an .npz file that escnn_writer.write made. "
            f"Received: {type(module).__name__}"
        )
    return escnn_writer.describe(module, input_shape)


def _checked(record):
    if record.get("format") != escnn_writer.FORMAT:
        raise ValueError(
            f"The file must be of format {escnn_writer.FORMAT}. Received: format {record.get('format')}; write it "
            "with the escnn_writer.py of this version"
        )
    return record


def _step(described, steps, types, arrays, strict, shapes):
    sources = [steps[i]["out"] if i >= 0 else described["in"] for i in described.get("from", [])]
    return Step(
        name=described["name"],
        kind=described["kind"],
        options=described["options"],
        arrays={key: np.asarray(arrays[place], "float64") for key, place in described["arrays"].items()},
        before=types[described["in"]],
        after=types[described["out"]],
        dims=types.dims(described["in"]),
        strict=strict,
        shapes=tuple(shapes),
        parts=tuple(types[source] for source in sources),
        part_dims=tuple(types.dims(source) for source in sources),
    )
