"""What joins and splits the branches of a network of escnn, and the plain layers of torch behind it."""

import keras
import numpy as np

from keras_equivariant.groups import FieldType
from keras_equivariant.layers.core.base import stock
from keras_equivariant.transfer.escnn_channels import moved, select
from keras_equivariant.transfer.escnn_step import NotHere, nothing


def _add(step):
    return [keras.layers.Add(name=step.layer_name)], nothing


def _subtract(step):
    return [keras.layers.Subtract(name=step.layer_name)], nothing


def _scale(step):
    return [keras.layers.Rescaling(step.options["factor"], name=step.layer_name)], nothing


def _concatenate(step):
    """Their channels lie tensor after tensor, and a type's fields of one kind together in ours."""
    parts = step.parts
    joined = FieldType(step.type.group, tuple(term for one, _, _ in parts for term in one.terms))
    change = np.zeros((joined.size, joined.size))  # from their channels to ours, joined
    start = 0
    for one, matrix, _ in parts:
        change[start : start + one.size, start : start + one.size] = matrix
        start += one.size
    after, matrix = step.after[0], step.after[1] @ change.T
    return [keras.layers.Concatenate(name=step.layer_name), *moved(step, joined, after, matrix)], nothing


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
    name = step.kind.removeprefix("torch.").lower().replace("logs", "log_s")
    if name.endswith("softmax") and step.options.get("dim") not in (1, -1 if len(step.shapes[0]) == 2 else 1):
        raise NotHere(f'is a softmax over the channels, dim=1. Received: {step.options} of the module "{step.name}"')
    change = step.before[1]
    if not np.allclose(np.sort(change, axis=1), np.eye(len(change))[-1], atol=1e-6):
        raise NotHere(
            "applies functions of torch to channels that stay single ones. Received: the function "
            f'"{step.kind}" on "{step.type}", whose components mix; use a nonlinearity of escnn there'
        )
    if name == "elu" and step.options.get("alpha", 1.0) != 1.0:
        return [keras.layers.ELU(step.options["alpha"], name=step.layer_name)], nothing
    if name == "leakyrelu":
        return [keras.layers.LeakyReLU(step.options["negative_slope"], name=step.layer_name)], nothing
    return [keras.layers.Activation(name, name=step.layer_name)], nothing


def _dropout(step):
    return [keras.layers.Dropout(step.options["p"], name=step.layer_name)], nothing


STEPS = {
    "add": _add,
    "subtract": _subtract,
    "select": select,
    "scale": _scale,
    "cat": _concatenate,
    "mean": _mean,
    "flatten": _flatten,
    "torch.Linear": _dense,
    **dict.fromkeys(("torch.BatchNorm1d", "torch.BatchNorm2d", "torch.BatchNorm3d"), _normalization),
    "torch.Dropout": _dropout,
    "torch.Identity": lambda step: ([], nothing),
    **dict.fromkeys(("torch.ReLU", "torch.ELU", "torch.LeakyReLU", "torch.Sigmoid"), _activation),
    **dict.fromkeys(("torch.Tanh", "torch.Softplus", "torch.GELU", "torch.SiLU"), _activation),
    **dict.fromkeys(("torch.Softmax", "torch.LogSoftmax"), _activation),
}
