"""Convolutions from dense kernels: the layer whose expanded kernel and bias they are."""

import keras
import numpy as np

from keras_equivariant.graphs.weights import clone_with
from keras_equivariant.layers.core.steerable_weights import bias_channels
from keras_equivariant.layers.core.transposed import Transposed
from keras_equivariant.transfer.restricted_layouts import change_matrix, restricted_type, right_cosets, split_axis

TOLERANCE = 1e-5  # of a kernel in float32, relative to its norm


def restrict_rotated(layer, subgroup, input_shape, name):
    """A lifting or group convolution on a subgroup, with the kernel of the larger group's."""
    if layer.elements != layer.group.order:
        raise ValueError(
            "A convolution is restricted on a basis of one scale. "
            f'Received: the layer "{layer.name}" with basis="{layer.basis}" of {layer.elements // layer.group.order} '
            "scales; build it on a basis of one scale"
        )
    cosets = right_cosets(layer.group, subgroup)
    kernel = dense_kernel(layer)
    for axis in (-1,) if layer.lifting else (-2, -1):
        kernel = split_axis(kernel, axis, cosets)
    bias = split_axis(_dense_bias(layer), -1, cosets)
    options = {"group": subgroup, "filters": layer.filters * cosets.shape[1]}
    exact = {**options, "basis": "exact", "trainable_basis": False}
    variants = [exact] if layer.trainable_basis else [options, exact]
    return _first_that_fits(layer, name, variants, input_shape, kernel, bias)


def restrict_depthwise(layer, subgroup, input_shape, name):
    """A depthwise group convolution on a subgroup: each field's kernel in the orientation of every coset."""
    cosets = right_cosets(layer.group, subgroup)
    kernel = split_axis(dense_kernel(layer), -2, cosets)
    bias = split_axis(_dense_bias(layer), -1, cosets)
    return _first_that_fits(
        layer, name, [{"group": subgroup}, {"group": subgroup, "basis": "exact"}], input_shape, kernel, bias
    )


def restrict_steerable(layer, subgroup, input_shape, name):
    """A convolution or dense layer between field types, between their restrictions."""
    before, after = (change_matrix(field_type, subgroup) for field_type in (layer.in_type, layer.out_type))
    left, right = (after, before) if isinstance(layer, Transposed) else (before, after)
    kernel = left @ dense_kernel(layer) @ right.T
    types = {name: restricted_type(getattr(layer, name), subgroup) for name in ("in_type", "out_type")}
    variants = [{**types, "group": None}]
    if hasattr(layer, "basis"):
        variants += [{**variants[0], "groups": 1}, {**variants[0], "groups": 1, "basis": "exact"}]
    return _first_that_fits(layer, name, variants, input_shape, kernel, after @ _dense_bias(layer))


def fill(layer, kernel, bias=None):
    """Sets the weights of a built layer to those nearest to a dense kernel and bias.

    Args:
        layer: a built convolution or dense layer with `coefficients`.
        kernel: array in the shape of `layer.expanded_kernel()`.
        bias: array in the shape of `layer.expanded_bias()`, or None to leave the layer's.

    Returns:
        The norm of what is missing from the layer's kernel and bias, relative to that of the kernel and of the bias.
    """
    layer.kernel.assign(layer.coefficients(kernel))
    if bias is not None and layer.bias is not None:
        layer.bias.assign(_bias_values(layer, bias))
    missing = 0.0 if bias is None else _relative(_dense_bias(layer) - bias, bias)
    return max(_relative(dense_kernel(layer) - kernel, kernel), missing)


def _relative(difference, whole):
    return float(np.linalg.norm(difference) / max(np.linalg.norm(whole), 1e-30))


def _bias_values(layer, channels):
    """The values of `layer.bias` nearest to these channels."""
    if hasattr(layer, "out_type"):
        return scalars_of(channels, layer.out_type)
    return channels.reshape(-1, layer.bias.shape[0]).mean(axis=0)


def scalars_of(channels, field_type):
    """The numbers whose channels, along the vectors that no element moves, are nearest to these."""
    where, weights = bias_channels(field_type)
    return np.sum(channels[where] * weights, axis=0)


def _dense_bias(layer):
    return keras.ops.convert_to_numpy(layer.expanded_bias()).astype("float64")


def dense_kernel(layer):
    """The expanded kernel as a float64 array."""
    return keras.ops.convert_to_numpy(layer.expanded_kernel()).astype("float64")


def _first_that_fits(layer, name, variants, input_shape, kernel, bias):
    reasons = []
    for options in variants:
        try:
            new = clone_with(layer, name, **options)
        except (TypeError, ValueError) as why:  # a basis that the subgroup does not have; Keras wraps what was raised
            reasons.append(str(why.__context__ or why).split(". ")[0])
            continue
        new.build(input_shape)
        error = fill(new, kernel, bias)
        if error <= TOLERANCE:
            return new
        reasons.append(f'basis="{new.basis}" misses {error:.1%} of it')
    raise ValueError(
        f'The kernel must lie on a basis of the subgroup. Received: the layer "{layer.name}" on {layer.group.name}, '
        f"restricted to {options.get('group') or options['out_type'].group.name}: {'; '.join(reasons)}; restrict to a "
        "group that permutes the pixels, such as C4, D2 or C2"
    )
