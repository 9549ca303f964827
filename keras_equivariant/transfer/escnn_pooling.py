"""Poolings, upsampling and masks of escnn as layers of ours."""

import fractions

import numpy as np

from keras_equivariant import layers as L
from keras_equivariant.layers.core.base import stock
from keras_equivariant.transfer.escnn_step import NotHere, axes, nothing


def group_pooling(step):
    step.single()
    return [L.FieldPooling(step.type, "max", **step.given())], nothing


def norm_pooling(step):
    step.single()
    return [L.NormPooling(step.type, scalars="norm", **step.given())], nothing


def _window(step, cls, *arguments):
    size = tuple(axes(step.options["kernel_size"], step.rank))
    step.plain(padding=0, dilation=1, ceil_mode=False)
    strides = tuple(axes(step.options["stride"], step.rank))
    return [cls(*arguments, pool_size=size, strides=strides, **step.given())], nothing


def max_pooling(step):
    return _window(step, {2: L.MaxPooling2D, 3: L.MaxPooling3D}[step.rank])


def average_pooling(step):
    return _window(step, {2: L.AveragePooling2D, 3: L.AveragePooling3D}[step.rank])


def blur(step):
    """A Gaussian blur; PointwiseMaxPoolAntialiased takes maxima with stride 1 before it."""
    options, rank = step.options, step.rank
    step.plain(dilation=1, ceil_mode=False)
    window = step.arrays["filter"][0, 0]
    size, middle = window.shape[0], window.shape[0] // 2
    line = window[(middle,) * (rank - 1)]
    sigma = float(np.sqrt(0.5 / np.log(line[middle] / line[middle - 1]))) if middle else 1.0
    before = []
    if "Max" in step.kind:
        step.plain(padding=0)
        cls = {2: L.MaxPooling2D, 3: L.MaxPooling3D}[rank]
        before = [
            cls(tuple(axes(options["kernel_size"], rank)), strides=1, **step.given(name=f"{step.layer_name}_max"))
        ]
    padding = axes(options["pad" if "Max" in step.kind else "padding"], rank)
    strides = axes(options["stride"], rank)
    same = set(padding) == {middle} and set(strides) == {1}
    if any(padding) and not same:
        pads = [(cut, cut) for cut in padding]
        before.append(stock("ZeroPadding", rank)(pads, name=f"{step.layer_name}_padding"))
    cls = {2: L.GaussianBlur2D, 3: L.GaussianBlur3D}[rank]
    words = {"strides": tuple(strides), "padding": "same" if same else "valid"}
    return [*before, cls(sigma, size, **words, **step.given())], nothing


def norm_max_pooling(step):
    step.single()
    return _window(step, {2: L.NormMaxPooling2D, 3: L.NormMaxPooling3D}[step.rank], step.type)


def adaptive(step):
    sizes = axes(step.options["output_size"], step.rank)
    kind = "Average" if "Avg" in step.kind else "Max"
    if set(sizes) == {1}:
        return [stock(f"Global{kind}Pooling", step.rank)(keepdims=True, name=step.layer_name)], nothing
    _known(step)
    return [getattr(L, f"Adaptive{kind}Pooling{step.rank}D")(tuple(sizes), **step.given())], nothing


def upsampling(step):
    factor, mode = step.options.get("scale_factor"), step.options["mode"]
    corners = bool(step.options.get("align_corners"))
    if factor is not None and factor == int(factor) and not corners:
        cls = {2: L.UpSampling2D, 3: L.UpSampling3D}[step.rank]
        return [cls(int(factor), interpolation=mode, **step.given())], nothing
    _known(step)
    space = step.shapes[0][1:-1]
    if factor is None:
        sizes = axes(step.options["size"], step.rank)
    else:
        sizes = [n * fractions.Fraction(factor).limit_denominator(1000) for n in space]
    if mode == "nearest" or any(n != int(n) for n in sizes):
        raise NotHere(
            "upsamples to whole sizes, and by other than whole factors linearly: else one end of an axis is treated "
            f'otherwise than the other. Received: the module "{step.name}" with {step.options} on the sizes {space}'
        )
    cls = {2: L.Resizing2D, 3: L.Resizing3D}[step.rank]
    return [cls(tuple(map(int, sizes)), align_corners=corners, **step.given())], nothing


def mask(step):
    _known(step)
    theirs, sizes = step.arrays["mask"][0, 0], step.shapes[0][1:-1]
    make, margin = {2: L.RadialMask2D, 3: L.RadialMask3D}[step.rank], step.options["margin"] / 100
    sharp = make(margin, 1.0).mask(theirs.shape)
    outside = (sharp < 1.0) & (theirs > 0.0)
    ratio = np.log(sharp[outside].min()) / np.log(theirs[outside].min()) if outside.any() else 1.0
    layer = make(margin, float(np.sqrt(ratio)), **step.given())
    if theirs.shape != sizes or abs(layer.mask(sizes) - theirs).max() > 1e-5:
        raise NotHere(
            f'has a mask of the size of its input. Received: the module "{step.name}" of size {theirs.shape} on {sizes}'
        )
    return [layer], nothing


def _known(step):
    if None in step.shapes[0][1:-1]:
        raise NotHere(
            f'needs known sizes for the module "{step.name}" ({step.kind}). Received: {step.shapes[0][1:-1]}; give '
            "`input_shape`"
        )
