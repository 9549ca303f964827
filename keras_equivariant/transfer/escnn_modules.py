"""Each module of escnn as layers of ours: a table from the name of its class to a function.

A function gets a `Step` and gives Keras layers in their order and a function that sets their weights once they are
built. What is no function of ours raises `NotHere`, with what differs.
"""

import warnings

import keras
import numpy as np

from keras_equivariant import layers as L
from keras_equivariant.layers.core.base import stock
from keras_equivariant.transfer import escnn_channels as channels
from keras_equivariant.transfer import escnn_functions as functions
from keras_equivariant.transfer import escnn_gates as gates
from keras_equivariant.transfer import escnn_joins as joins
from keras_equivariant.transfer import escnn_pooling as pooling
from keras_equivariant.transfer import peers
from keras_equivariant.transfer.convolutions import fill, scalars_of
from keras_equivariant.transfer.escnn_step import NotHere, axes, nothing

LOST = 1e-5  # of a kernel, relative to its norm: what float32 leaves


def layers_of(step):
    """`(layers, set_weights)` for a step; set_weights takes nothing and gives the loss."""
    if step.kind not in MODULES:
        row = peers.escnn_row(step.kind)
        known = f"{row.note}; here is {row.ours}" if row else "a kind that escnn 1.0.11 does not have"
        raise NotHere(
            f'must be a layer here. Received: the module "{step.name}" ({step.kind}): {known}; bring over what lies '
            "before and behind it, each with `from_escnn`, and write this module in Keras"
        )
    return MODULES[step.kind](step)


def _identity(step):
    return [], nothing


def _convolution(step):
    options, rank = step.options, step.rank
    dilation, stride, padding = options["dilation"], options["stride"], options["padding"]
    size = options["kernel_size"]
    half = dilation * (size - 1) // 2
    same = padding == half and dilation * (size - 1) % 2 == 0 and stride == 1
    mode = options.get("padding_mode", "zeros")
    before = []
    if mode != "zeros" and padding and not same:
        raise NotHere(
            f"pads with other values than zeros so that the size is kept. Received: padding_mode={mode!r}, "
            f'padding={padding}, stride={stride}, kernel_size={size} of the module "{step.name}"'
        )
    if padding and not same:
        before = [stock("ZeroPadding", rank)(padding, name=f"{step.layer_name}_padding")]
    words = {"strides": stride, "dilation_rate": dilation, "padding": "same" if same and padding else "valid"}
    words["padding_mode"] = mode if same and padding else "zeros"
    kernel = _grouped(step.arrays["kernel"], options.get("groups", 1))
    kernel = np.moveaxis(kernel, (0, 1), (-1, -2))
    kernel = step.before[1] @ kernel @ step.after[1].T
    make = {2: L.SteerableConv2D, 3: L.SteerableConv3D}[rank]
    return _with_kernel(step, make, words, before, [], kernel)


def _with_kernel(step, make, words, before, behind, kernel):
    """The convolution on the rings of the module or, where the group permutes the pixels, on the whole basis."""
    options = step.options
    rings = {
        "basis": "steerable",
        "ring_radii": [r / options["dilation"] for r in options["rings"]],
        "ring_width": [s / options["dilation"] for s in options["sigma"]],
        "frequency_cutoff": options["cutoffs"],
    }
    bias = step.arrays.get("bias")
    words = {**words, "use_bias": bias is not None, "kernel_size": options["kernel_size"]}
    reasons = []
    for basis in (rings, {"basis": "exact"}):
        try:
            layer = make(step.before[0], step.after[0], unreached="zeros", **words, **basis, **step.given())
        except ValueError as error:
            reasons.append(str(error))
            continue
        shape = (None, *[None] * step.rank, step.type.size)
        trial = make.from_config({**layer.get_config(), "strict": False, "name": "trial"})
        with warnings.catch_warnings():  # of sizes, which are not known here
            warnings.simplefilter("ignore")
            trial.build(shape)
        loss = fill(trial, kernel)
        if loss <= LOST:
            return [*before, layer, *behind], lambda layer=layer: fill(layer, kernel, _bias(step))
        reasons.append(f'{loss:.2g} of the kernel is lost with basis="{layer.basis}"')
    raise NotHere(
        "has kernels that lie on no basis here. Received: the module "
        f'"{step.name}" with rings={options["rings"]}, sigma={options["sigma"]}, highest frequencies '
        f"{options['cutoffs']}: {'; '.join(reasons)}"
    )


def _bias(step):
    bias = step.arrays.get("bias")
    return None if bias is None else step.after[1] @ bias


def _grouped(kernel, groups):
    """A grouped kernel `(out, in / groups, *k)` as the dense one, 0 between groups."""
    if groups == 1:
        return kernel
    out, inside = kernel.shape[:2]
    dense = np.zeros((out, inside * groups, *kernel.shape[2:]))
    for i in range(groups):
        rows = slice(i * out // groups, (i + 1) * out // groups)
        dense[rows, i * inside : (i + 1) * inside] = kernel[rows]
    return dense


def _transposed(step):
    options, rank = step.options, step.rank
    padding, added = axes(options["padding"], rank), axes(options.get("output_padding", 0), rank)
    if any(more > cut for more, cut in zip(added, padding, strict=True)):
        raise NotHere(f'has an output_padding of at most its padding. Received: {options} of the module "{step.name}"')
    step.plain(groups=1)
    crop = [(cut, cut - more) for cut, more in zip(padding, added, strict=True)]
    behind = (
        [stock("Cropping", rank)(crop if any(padding) else 0, name=f"{step.layer_name}_cropping")]
        if any(padding)
        else []
    )
    words = {"strides": options["stride"], "dilation_rate": options["dilation"], "padding": "valid"}
    kernel = np.moveaxis(step.arrays["kernel"], (0, 1), (-1, -2))  # (*k, out, in): torch has the input first
    kernel = step.after[1] @ kernel @ step.before[1].T
    make = {2: L.SteerableConv2DTranspose, 3: L.SteerableConv3DTranspose}[rank]
    return _with_kernel(step, make, words, [], behind, kernel)


def _linear(step):
    words = {"use_bias": "bias" in step.arrays, "unreached": "zeros"}
    layer = L.SteerableDense(step.before[0], step.after[0], **words, **step.given())
    kernel = step.before[1] @ step.arrays["kernel"].T @ step.after[1].T
    return [layer], lambda: fill(layer, kernel, _bias(step))


def _pointwise(step):
    function = "relu" if step.kind == "ReLU" else step.function
    return [L.PointwiseActivation(step.type, function, **step.given())], nothing


def _elu(step):
    return [keras.layers.ELU(step.options["alpha"], name=step.layer_name)], nothing


def _leaky(step):
    return [keras.layers.LeakyReLU(step.options["negative_slope"], name=step.layer_name)], nothing


def _norm(step):
    step.single()
    bias = step.arrays.get("log_bias")
    words = {"scalars": "norm", "epsilon": 1e-20, "use_bias": bias is not None}
    layer = L.NormActivation(step.type, activation=step.function, **words, **step.given())

    def set_weights():
        if bias is not None:
            order = np.argsort(step.dims, kind="stable")  # it numbers them by the size of the fields
            values = np.empty(len(order))
            values[order] = -np.exp(bias.ravel())
            layer.bias.assign(values)
        return 0.0

    return [layer], set_weights


def _normalization(step):
    """At inference the same numbers; the statistics of a batch are ours, of which only InnerBatchNorm's are equal."""
    arrays, epsilon = step.arrays, step.options["eps"]
    momentum = 1 - (step.options.get("momentum") or 0.1)
    change, field_type = step.before[1], step.type
    words = {"epsilon": epsilon, "momentum": momentum}
    layer = L.SteerableBatchNormalization(field_type, **words, **step.given())

    def per_field(values):
        """One number for each field of ours, of numbers that are equal within each of escnn's."""
        spread = (change**2) @ values
        return np.concatenate([spread[b.start : b.start + b.multiplicity] for b in field_type.blocks])

    def set_weights():
        variance, scale = per_field(arrays["variance"]), per_field(arrays["scale"])
        layer.gamma.assign(scale * np.sqrt(variance + epsilon))
        layer.moving_variance.assign(variance)
        if layer.moving_mean is not None:
            layer.moving_mean.assign(scalars_of(change @ arrays["mean"], field_type))
            shift = change @ (arrays["shift"] + arrays["scale"] * arrays["mean"])
            layer.beta.assign(scalars_of(shift, field_type))
        return 0.0

    return [layer], set_weights


def _normalization_of_irreps(step):
    """GNormBatchNorm scales every irrep in a field: fields of irreps as above, what mixes channels as a dense layer."""
    arrays = step.arrays
    if np.count_nonzero(np.abs(arrays["matrix"]) > 1e-6 * np.abs(arrays["matrix"]).max()) == step.type.size:
        arrays["scale"] = np.diag(arrays["matrix"])
        return _normalization(step)
    layer = L.SteerableDense(step.type, step.type, **step.given())
    kernel = step.before[1] @ arrays["matrix"].T @ step.after[1].T
    return [layer], lambda: fill(layer, kernel, step.after[1] @ arrays["shift"])


def _vector_field(step):
    step.single()
    layer = L.VectorFieldActivation(step.type, **step.given())
    # The vector of the first orientation there, (1, 0), in our components must be that of ours.
    (block,), change = layer.out_type.blocks, step.after[1]
    if np.abs(change[:: block.multiplicity, 0][:2] - [1.0, 0.0]).max() > 1e-6:
        raise NotHere(
            f'has vectors in coordinates of its own. Received: the module "{step.name}" from "{step.before[0]}" to '
            f'"{step.after[0]}"'
        )
    return [layer], nothing


def _dropout(step):
    # Component by component there, field by field here: of a field of irreps no part may be dropped alone.
    return [L.FieldDropout(step.type, step.options["p"], **step.given())], nothing


MODULES = {
    "R2Conv": _convolution,
    "R3Conv": _convolution,
    "R2ConvTransposed": _transposed,
    "R3ConvTransposed": _transposed,
    "Linear": _linear,
    "IdentityModule": _identity,
    "ReLU": _pointwise,
    "ELU": _elu,
    "LeakyReLU": _leaky,
    "PointwiseNonLinearity": _pointwise,
    "NormNonLinearity": _norm,
    "GatedNonLinearity1": gates.gated,
    "GatedNonLinearity2": gates.gated_by_another,
    "GatedNonLinearityUniform": gates.gated_within,
    "InnerBatchNorm": _normalization,
    "IIDBatchNorm1d": _normalization,
    "IIDBatchNorm2d": _normalization,
    "IIDBatchNorm3d": _normalization,
    "NormBatchNorm": _normalization,
    "GNormBatchNorm": _normalization_of_irreps,
    "PointwiseDropout": _dropout,
    "FieldDropout": _dropout,
    "GroupPooling": pooling.group_pooling,
    "NormPool": pooling.norm_pooling,
    "PointwiseMaxPool2D": pooling.max_pooling,
    "PointwiseMaxPool3D": pooling.max_pooling,
    "PointwiseAvgPool2D": pooling.average_pooling,
    "PointwiseAvgPool3D": pooling.average_pooling,
    "PointwiseAvgPoolAntialiased2D": pooling.blur,
    "PointwiseAvgPoolAntialiased3D": pooling.blur,
    "PointwiseMaxPoolAntialiased2D": pooling.blur,
    "PointwiseMaxPoolAntialiased3D": pooling.blur,
    "NormMaxPool": pooling.norm_max_pooling,
    "PointwiseAdaptiveAvgPool2D": pooling.adaptive,
    "PointwiseAdaptiveAvgPool3D": pooling.adaptive,
    "PointwiseAdaptiveMaxPool2D": pooling.adaptive,
    "PointwiseAdaptiveMaxPool3D": pooling.adaptive,
    "R2Upsampling": pooling.upsampling,
    "R3Upsampling": pooling.upsampling,
    "MaskModule": pooling.mask,
    "VectorFieldNonLinearity": _vector_field,
    **channels.STEPS,
    **functions.STEPS,
    **joins.STEPS,
}
