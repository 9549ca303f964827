"""What convolutions and dense layers between field types share: coefficients, bias and their expansion."""

import dataclasses

import keras
import numpy as np
from keras import ops


def scaled(basis):
    """The basis scaled so that Keras's initializers keep the second moment of white features.

    Coefficients get the variance 1 / fan-in of their own pair of irreps, fan-in = D copies. What reaches a component
    of an output irrep of dimension d from all pairs then has d times the variance 1 / d times the share of the pair.
    """
    reach = {}
    for (_, o), (size, copies, _) in basis.shapes.items():
        reach[o] = reach.get(o, 0) + size * copies
    pairs = {}
    for (i, o), functions in basis.pairs.items():
        size, copies, _ = basis.shapes[i, o]
        pairs[i, o] = functions * np.sqrt(basis.targets[o].dim * size * copies / reach[o])
    return dataclasses.replace(basis, pairs=pairs)


def per_pair(initializer, shapes):
    """An initializer of the flat coefficients: the given one on each pair of irreps, with its own fan-in and seed."""

    def initialize(shape, dtype=None):
        blocks = [reseeded(initializer, i)(block, dtype=dtype) for i, block in enumerate(shapes)]
        return ops.concatenate([ops.reshape(block, (-1,)) for block in blocks])

    return initialize


def reseeded(initializer, index):
    """The initializer with a seed of its own for the block of this index; without a seed a fresh one."""
    if not isinstance(initializer, keras.initializers.Initializer) or index == 0:
        return initializer
    config = initializer.get_config()
    if isinstance(config.get("seed"), int):
        config["seed"] += index
    return type(initializer).from_config(config) if "seed" in config else initializer


def bias_size(field_type):
    """Number of biases: one per field and invariant vector in it."""
    return sum(len(block.invariants) * block.multiplicity for block in field_type.blocks)


def expand_bias(bias, field_type):
    """Biases as channels `(D,)`: along the vectors of each field that no element moves, 0 elsewhere."""
    parts, start = [], 0
    for block in field_type.blocks:
        vectors, fields = block.invariants, block.multiplicity
        if not len(vectors):
            parts.append(ops.zeros((block.dim * fields,), dtype=bias.dtype))
            continue
        values = ops.reshape(bias[start : start + len(vectors) * fields], (len(vectors), fields))
        start += len(vectors) * fields
        vectors = ops.convert_to_tensor(vectors.T, dtype=bias.dtype)
        parts.append(ops.reshape(ops.sum(vectors[:, :, None] * values[None], axis=1), (-1,)))
    return ops.concatenate(parts)


def bias_channels(field_type):
    """Channels and weights, both `(most components, n)`, whose products sum to the biases: `expand_bias` backwards.

    None where the type has no field with a direction that no element moves.
    """
    most = max(block.dim for block in field_type.blocks)
    channels, weights = [], []
    for block in field_type.blocks:
        for vector in block.invariants:
            rows = np.arange(block.start, block.stop).reshape(block.dim, block.multiplicity)
            pad = ((0, most - block.dim), (0, 0))
            values = np.repeat((vector / (vector @ vector))[:, None], block.multiplicity, axis=1)
            channels.append(np.pad(rows, pad))
            weights.append(np.pad(values, pad))
    if not channels:
        return None
    return np.concatenate(channels, axis=1).astype("int32"), np.concatenate(weights, axis=1)
