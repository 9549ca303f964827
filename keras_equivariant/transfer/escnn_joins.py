"""What joins and splits the branches of a network of escnn, and the plain layers of torch behind it."""

import keras
import numpy as np

from keras_equivariant import layers as L
from keras_equivariant.groups import FieldType
from keras_equivariant.layers.core.base import stock
from keras_equivariant.transfer.escnn_step import NotHere, nothing


def _add(step):
    return [keras.layers.Add(name=step.layer_name)], nothing


def _concatenate(step):
    """Their channels lie tensor after tensor, and a type's fields of one kind together in ours."""
    parts = step.parts
    joined = FieldType(step.type.group, tuple(term for one, _, _ in parts for term in one.terms))
    change = np.zeros((joined.size, joined.size))  # from their channels to ours, joined
    start = 0
    for one, matrix, _ in parts:
        change[start : start + one.size, start : start + one.size] = matrix
        start += one.size
    return [keras.layers.Concatenate(name=step.layer_name), *_moved(step, joined, step.after[1] @ change.T)], nothing


def _select(step):
    channels = np.eye(step.type.size)[[int(i) for i in step.arrays["channels"]]]
    return _moved(step, step.type, step.after[1] @ channels @ step.before[1].T), nothing


def _moved(step, before, matrix):
    """The layers that take fields of a type to those of `step.after`: `[]` where they lie so already."""
    after = step.after[0]
    if before == after and np.allclose(matrix, np.eye(before.size), atol=1e-6):
        return []
    field_of = {int(channels[0]): i for i, (_, channels) in enumerate(before.places)}
    found = [field_of.get(int(np.argmax(np.abs(matrix[channels[0]]))), -1) for _, channels in after.places]
    if -1 in found or len(set(found)) < len(found):
        raise _other(step, before)
    layer = L.SelectFields(before, found, name=f"{step.layer_name}_fields", strict=step.strict)
    same = layer.out_type.size == after.size and np.allclose(matrix, np.eye(before.size)[layer.channels], atol=1e-6)
    if layer.out_type != after or not same:
        raise _other(step, before)
    return [layer]


def _other(step, before):
    return NotHere(
        f'joins and splits fields that keep their coordinates. Received: the module "{step.name}" from "{before}" to '
        f'"{step.after[0]}", in other coordinates'
    )


def _mean(step):
    kind = "GlobalMaxPooling" if step.options.get("max") else "GlobalAveragePooling"
    return [stock(kind, step.rank)(keepdims=bool(step.options["keepdims"]), name=step.layer_name)], nothing


def _flatten(step):
    """Space is a single pixel: its mean is the pixel."""
    if len(step.shapes[0]) == 2:
        return [], nothing
    return [stock("GlobalAveragePooling", step.rank)(name=step.layer_name)], nothing


def _dense(step):
    kernel = step.before[1] @ step.arrays["weight"].T
    bias = step.arrays.get("bias")
    layer = keras.layers.Dense(kernel.shape[1], use_bias=bias is not None, name=step.layer_name)

    def set_weights():
        layer.set_weights([kernel] if bias is None else [kernel, bias])
        return 0.0

    return [layer], set_weights


def _normalization(step):
    change = step.before[1]
    if not np.allclose(np.sort(change, axis=1)[:, :-1], 0.0, atol=1e-6):
        raise NotHere(f'normalizes channels that stay single ones. Received: the module "{step.name}"')
    momentum = 1 - (step.options.get("momentum") or 0.1)
    affine = "weight" in step.arrays
    words = {"epsilon": step.options["eps"], "momentum": momentum, "scale": affine, "center": affine}
    layer = keras.layers.BatchNormalization(name=step.layer_name, **words)
    names = (*(("weight", "bias") if affine else ()), "running_mean", "running_var")

    def set_weights():
        layer.set_weights([change @ step.arrays[name] for name in names])
        return 0.0

    return [layer], set_weights


def _activation(step):
    name = step.kind.removeprefix("torch.").lower()
    if name == "elu" and step.options.get("alpha", 1.0) != 1.0:
        return [keras.layers.ELU(step.options["alpha"], name=step.layer_name)], nothing
    if name == "leakyrelu":
        return [keras.layers.LeakyReLU(step.options["negative_slope"], name=step.layer_name)], nothing
    return [keras.layers.Activation(name, name=step.layer_name)], nothing


def _dropout(step):
    return [keras.layers.Dropout(step.options["p"], name=step.layer_name)], nothing


STEPS = {
    "add": _add,
    "cat": _concatenate,
    "select": _select,
    "mean": _mean,
    "flatten": _flatten,
    "torch.Linear": _dense,
    "torch.BatchNorm1d": _normalization,
    "torch.Dropout": _dropout,
    "torch.Identity": lambda step: ([], nothing),
    **dict.fromkeys(("torch.ReLU", "torch.ELU", "torch.LeakyReLU", "torch.Sigmoid"), _activation),
    **dict.fromkeys(("torch.Tanh", "torch.Softplus", "torch.GELU", "torch.SiLU"), _activation),
}
