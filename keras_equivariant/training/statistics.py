"""recompute_statistics(): the averages of batch normalization, over a whole data set instead of the last steps."""

from __future__ import annotations

import contextlib
from typing import Any

import keras
import numpy as np

LARGEST_SAMPLE = 10_000
_NOISE = ("rate", "stddev")  # what Keras's layers and ours call the strength of dropout and of noise


def recompute_statistics(model: keras.Model, data: Any, batch_size: int | None = None) -> int:
    """Replaces the moving averages of every batch normalization by those of the data.

    mean = mean over the data of x,   variance = mean of (x - mean)^2, with `reduction="max"` of the maxima

    of what reaches the layer while the layers before it normalize each batch by its own statistics, as in training.
    Keras's moving averages with momentum 0.99 have seen a few hundred steps before they are true; after a short
    training on a small set they are not, and the network answers otherwise than it was trained to. Dropout and
    noise are off.

    Args:
        model: a built `keras.Model`; its weights change in place, in no other place than those averages.
        data: inputs as an array (or list or dict of arrays for several inputs), or an iterable of batches, each an
            array or an `(inputs, targets)` tuple.
        batch_size: int, rows of an array in one batch; default: as many as are read (at most 10,000 rows, spread
            evenly over the array) in batches of 256.

    Returns:
        The number of layers whose averages were replaced; 0 for a network without batch normalization.

    Raises:
        ValueError: no data.

    Example:
        >>> import keras, numpy as np, keras_equivariant as ke
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization()])
        >>> x = np.random.default_rng(0).normal(3.0, 2.0, (64, 4)).astype("float32")
        >>> ke.recompute_statistics(model, x)
        1
        >>> bool(np.allclose(model.layers[0].moving_mean, x.mean(axis=0), atol=1e-5))
        True

    Reference: Wu & Johnson, Rethinking "Batch" in BatchNorm, arXiv 2105.07576, section 3 ("Precise BatchNorm").
    """
    layers = [layer for layer in model._flatten_layers() if _keeps_averages(layer)]
    if not layers:
        return 0
    sums, seen = {id(layer): None for layer in layers}, 0
    with _recording(model, layers):
        for batch, rows in _batches(data, batch_size):
            model(batch, training=True)
            for layer in layers:
                sums[id(layer)] = _added(sums[id(layer)], _averages(layer), rows)
            seen += rows
    if not seen:
        raise ValueError("There must be data to compute statistics of. Received: none; give the training inputs")
    for layer in layers:
        mean, square, variance = (total / seen for total in sums[id(layer)])
        between = square - mean**2
        # One mean a channel belongs to one variance a channel; means of vectors in a field have fewer entries.
        parted = between.shape == variance.shape and getattr(layer, "reduction", "mean") == "mean"
        variance = variance + between if parted else variance
        if layer.moving_mean is not None:
            layer.moving_mean.assign(mean.astype(layer.moving_mean.dtype))
        layer.moving_variance.assign(variance.astype(layer.moving_variance.dtype))
    return len(layers)


def _keeps_averages(layer):
    return layer.trainable and hasattr(layer, "momentum") and getattr(layer, "moving_variance", None) is not None


def _averages(layer):
    variance = keras.ops.convert_to_numpy(layer.moving_variance).astype("float64")
    if layer.moving_mean is None:
        return np.zeros(0), variance
    return keras.ops.convert_to_numpy(layer.moving_mean).astype("float64"), variance


def _added(sums, averages, rows):
    mean, variance = averages
    new = rows * mean, rows * mean**2, rows * variance
    return new if sums is None else tuple(a + b for a, b in zip(sums, new, strict=True))


@contextlib.contextmanager
def _recording(model, layers):
    """Every layer keeps the statistics of the last batch alone, and nothing is drawn."""
    momenta = [layer.momentum for layer in layers]
    noise = [(layer, name) for layer in model._flatten_layers() for name in _NOISE if hasattr(layer, name)]
    levels = [getattr(layer, name) for layer, name in noise]
    try:
        for layer in layers:
            layer.momentum = 0.0
        for layer, name in noise:
            setattr(layer, name, 0.0)
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        for (layer, name), level in zip(noise, levels, strict=True):
            setattr(layer, name, level)


def _batches(data, batch_size):
    """`(inputs, number of rows)` of each batch."""
    arrays = keras.tree.flatten(data) if isinstance(data, (list, tuple, dict)) else [data]
    if all(hasattr(array, "shape") and hasattr(array, "__getitem__") for array in arrays):
        count = len(arrays[0])
        rows = np.unique(np.linspace(0, count - 1, min(count, LARGEST_SAMPLE)).astype(int)) if count else []
        size = batch_size or 256
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            yield keras.tree.map_structure(lambda array, part=part: np.asarray(array[part]), data), len(part)
        return
    for batch in data:
        inputs = batch[0] if isinstance(batch, tuple) else batch
        yield inputs, len(keras.tree.flatten(inputs)[0])
