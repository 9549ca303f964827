"""import_filters(): the trained filters of other libraries and of stock Keras layers in our layers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal

import keras
import numpy as np
from numpy.typing import ArrayLike

from keras_equivariant.graphs.reading import walk
from keras_equivariant.layers import (
    GroupConv2D,
    GroupConv3D,
    GroupDepthwiseConv2D,
    HarmonicConv2D,
    LiftingConv2D,
    LiftingConv3D,
    SteerableConv2D,
    SteerableConv3D,
    SteerableDense,
)
from keras_equivariant.layers.core.rotated_conv import RotatedConv
from keras_equivariant.layers.core.transposed import Transposed
from keras_equivariant.transfer import escnn, groupy, groupy_3d, harmonic_networks, se3cnn
from keras_equivariant.transfer.convolutions import fill
from keras_equivariant.transfer.stock_kernels import set_kernel
from keras_equivariant.utils.arrays import read_arrays

SOURCES = ("groupy", "keras_gcnn", "escnn", "se3cnn", "harmonic", "keras")
_TAKES = {
    "groupy": (LiftingConv2D, GroupConv2D, LiftingConv3D, GroupConv3D),
    "keras_gcnn": (LiftingConv2D, GroupConv2D),
    "escnn": (SteerableConv2D, SteerableDense, LiftingConv2D, GroupConv2D),
    "se3cnn": (SteerableConv3D,),
    "harmonic": (HarmonicConv2D,),
    "keras": (RotatedConv, GroupDepthwiseConv2D, SteerableConv2D, SteerableConv3D, SteerableDense),
}


def import_filters(
    target: keras.layers.Layer,
    filters: ArrayLike | Mapping[str, ArrayLike] | os.PathLike[str],
    source: Literal["groupy", "keras_gcnn", "escnn", "se3cnn", "harmonic", "keras"],
    bias: ArrayLike | None = None,
    tolerance: float = 0.001,
) -> float | dict[str, float]:
    """Sets the weights of a layer, or of layers of a model, from filters that another library trained.

    Filters of GrouPy and keras-gcnn become the same numbers in our order of elements. Of escnn and e2cnn it takes the
    expanded kernel, `module.expand_parameters()`, and projects it orthogonally onto the layer's own basis: what is lost
    by that is returned, relative to the norm of the kernel.

    Args:
        target: a built layer, or a model.
        filters: the filters of the layer, an array. For a model a dict, or the path of an .npz file, with an array for
            each layer under `"<layer name>.kernel"` and, where it has one, `"<layer name>.bias"`.
        source: `"groupy"`: filters (C_out, C_in, |G|, k, k) of GrouPy for Chainer and its PyTorch ports, on p4 and p4m;
            for layers of volumes those of GrouPy for TensorFlow, (k, k, k, |G| C_in, C_out), on O, Oh, D4h and its C4h
            (`transfer.groupy_3d.group("C4h")`).
            `"keras_gcnn"`: filters (k, k, |G| C_in, C_out) of keras-gcnn and GrouPy for TensorFlow.
            `"escnn"`: expanded filters (D_out, D_in, k, k) of modules on the plane between regular fields and irreps.
            `"se3cnn"`: filters (D_out, D_in, k, k, k) that `SE3Kernel()` gives, into a SteerableConv3D on SO3.
            `"harmonic"`: filters of Harmonic Networks, real and imaginary parts of each order from 0 that their
            `get_filters` gives, (orders, 2, k, k, C_in, C_out), into a HarmonicConv2D; features are complex conjugates
            there, magnitudes the same.
            `"keras"`: kernels of stock layers, (*k, C_in, C_out) with one for each pair of fields, which every
            orientation applies to the same orientation of the input; or the expanded kernel, with |G| times the
            channels, which is projected orthogonally onto the layer's kernels.
        bias: of a layer: from GrouPy one number a field, from escnn the expanded bias; None for none, which sets the
            bias of the layer, if it has one, to 0.
        tolerance: largest loss that is accepted.

    Returns:
        The loss: of a layer one number, of a model a dict from layer names. Filters of GrouPy and keras-gcnn lose
        nothing.

    Raises:
        ValueError: an unknown source, shapes that the layer does not have, names that the model does not have, and a
            loss above the tolerance.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.LiftingConv2D(16, 3, group="p4m")
        >>> layer.build((None, 28, 28, 3))
        >>> ke.import_filters(layer, np.ones((16, 3, 1, 3, 3)), "groupy")
        0.0

    Equivariance: that of the layers, whatever the filters.

    Reference: Cohen & Welling, arXiv 1602.07576, section 7; Weiler & Cesa, arXiv 1911.08251, section 2.
    """
    if source not in SOURCES:
        raise ValueError(f"`source` must be one of {SOURCES}. Received: source={source!r}")
    if isinstance(target, keras.Model):
        return _import_model(target, filters, source, bias, tolerance)
    transposed = isinstance(target, Transposed) and source != "keras"
    if not isinstance(target, _TAKES[source]) or transposed:
        names = ", ".join(cls.__name__ for cls in _TAKES[source])
        raise ValueError(f'Filters of "{source}" go into one of {names}. Received: {target!r}')
    if not target.built:
        raise ValueError(f'The layer must be built: it has no weights yet. Received: "{target.name}"; call it first')
    return _import_layer(target, np.asarray(filters, dtype="float64"), source, bias, tolerance)


def _import_layer(layer, filters, source, bias, tolerance):
    bad = sum(int((~np.isfinite(np.asarray(x, "float64"))).sum()) for x in (filters, bias) if x is not None)
    if bad:
        raise ValueError(
            f'Filters and biases must be finite. Received: {bad} numbers that are not, for the layer "{layer.name}"; '
            "take those of a checkpoint before they were lost"
        )
    if bias is not None and layer.bias is None and np.any(bias):
        raise ValueError(
            f'A bias needs a layer that has one. Received: bias for the layer "{layer.name}"; build it with '
            "use_bias=True"
        )
    if source in ("groupy", "keras_gcnn"):
        if layer.rank == 3:
            layer.kernel.assign(groupy_3d.coefficients(layer, filters))
        else:
            layer.kernel.assign(groupy.coefficients(layer, filters, merged=source == "keras_gcnn"))
        if layer.bias is not None:
            layer.bias.assign(_field_bias(layer, bias))
        return 0.0
    before = layer.get_weights()
    bias = None if bias is None else np.asarray(bias, "float64")
    if source == "keras":
        loss = set_kernel(layer, filters, bias)
    elif source == "harmonic":
        loss = harmonic_networks.set_filters(layer, filters)
    elif source == "se3cnn":
        loss = fill(layer, se3cnn.dense_kernel(layer, filters), np.zeros(layer.out_type.size))
    else:
        kernel = escnn.dense_kernel(layer, filters)
        loss = fill(layer, kernel, np.zeros(kernel.shape[-1]) if bias is None else escnn.dense_bias(layer, bias))
    if not loss <= tolerance:
        layer.set_weights(before)
        raise ValueError(
            f"The filters must lie on the layer's basis up to tolerance={tolerance:g}. Received: filters of which "
            f'{loss:.2g} is lost, relative to their norm, for the layer "{layer.name}" on {layer.group.name}; '
            f"{_PROJECTED if source == 'keras' else _likely_cause(layer, loss)}"
        )
    return loss


def _field_bias(layer, bias):
    values = np.zeros(layer.filters) if bias is None else np.asarray(bias, dtype="float64").ravel()
    if values.shape != (layer.filters,):
        raise ValueError(
            f'The bias must have one number for each of the {layer.filters} fields of the layer "{layer.name}". '
            f"Received: shape {np.shape(bias)}"
        )
    return values


_PROJECTED = "a stock kernel has no such symmetry by itself: raise `tolerance`, up to 1, to begin from what is left"


def _likely_cause(layer, loss):
    if isinstance(layer, HarmonicConv2D):
        return (
            "likely its rings lie outside the window: give num_rings of at most kernel_size // 2, or raise `tolerance`"
        )
    if loss > 0.5:
        return (
            "likely the field types or the group are others, their fields stand in another order, or the mirror is not "
            "the left-right one (axis=pi/2)"
        )
    options = "rings, sigma and frequencies_cutoff of the module"
    if hasattr(layer, "rings"):
        return f"likely the {options} differ: give num_rings, ring_width and frequency_cutoff, or raise `tolerance`"
    return f"likely the {options} differ: use SteerableConv2D with its rings and cut-off, or raise `tolerance`"


def _import_model(model, filters, source, bias, tolerance):
    if bias is not None:
        raise ValueError('The biases of a model stand beside its kernels, as "<layer name>.bias". Received: bias=...')
    arrays = _read(filters)
    layers = {layer.name: layer for layer in walk(model)}
    names = list(dict.fromkeys(key.rpartition(".")[0] for key in arrays))
    wrong = [key for key in arrays if key.rpartition(".")[2] not in ("kernel", "bias")]
    wrong += [f"{name}.kernel" for name in names if name not in layers or f"{name}.kernel" not in arrays]
    if wrong:
        place = "" if isinstance(filters, dict) else f" in {filters}"
        raise ValueError(
            'The arrays must be named "<layer name>.kernel" and "<layer name>.bias" after layers of the model, '
            f"{', '.join(layers)}. Received: {', '.join(wrong)}{place}"
        )
    return {
        name: import_filters(layers[name], arrays[f"{name}.kernel"], source, arrays.get(f"{name}.bias"), tolerance)
        for name in names
    }


def _read(filters):
    if isinstance(filters, dict):
        return filters
    try:
        return read_arrays(filters)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"The filters of a model must be a dict or an .npz file. Received: {filters} ({error.__cause__ or error})"
        ) from error
