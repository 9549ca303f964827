"""What becomes of layers that slide windows: convolutions, poolings, borders, enlarging."""

from functools import partial

import keras

from keras_equivariant import layers
from keras_equivariant.conversion.channels import is_depthwise, is_transposed
from keras_equivariant.conversion.kinds import IMAGE, REGULAR
from keras_equivariant.conversion.problems import NoCounterpart
from keras_equivariant.graphs.weights import settings
from keras_equivariant.layers.core.base import stock
from keras_equivariant.layers.core.options import declared
from keras_equivariant.ops.resizing import Centered
from keras_equivariant.stock import resizing
from keras_equivariant.stock.operations import padding_of, slices_of
from keras_equivariant.stock.traits import is_linear, traits

_KEPT = "or strict=False to keep it, approximately equivariant"


def _convolution(walk, call, args, kwargs):
    layer, x = call.operation, args[0]
    if is_transposed(layer):
        return _transposed(walk, call, walk.lift(x, layer.name))
    separable, image = hasattr(layer, "pointwise_initializer"), walk.plan[call.outputs[0]].kind == IMAGE
    if separable and (layer in walk.plan.predictions or not image):
        return _separable(walk, call, x)
    change, x = _window(walk, call, x)
    if image and is_depthwise(layer, call.inputs[0].shape[-1]):
        return walk.mark(walk.copy(layer, **change)(x), IMAGE)
    if is_depthwise(layer, call.inputs[0].shape[-1]):
        return _depthwise(walk, call, walk.lift(x, layer.name), change)
    if layer in walk.plan.predictions:
        return _prediction(walk, call, x, change)
    filters = walk.filters(call.outputs[0])
    if image:
        return walk.mark(walk.copy(layer, filters=filters, **change)(x), IMAGE)
    lifting = walk.kind(x) != REGULAR
    groups = _groups(walk, layer, x.shape[-1], filters)
    new = walk.make(layer, "", lambda name: _ours(walk, layer, name, lifting, filters=filters, groups=groups, **change))
    return walk.mark(new(x), REGULAR)


def _ours(walk, layer, name, lifting, **changes):
    """A lifting or group convolution with the options of a stock one."""
    return _with_options(walk.ours("LiftingConv" if lifting else "GroupConv"), walk, layer, name, **changes)


def _with_options(cls, walk, layer, name, **changes):
    known = {*declared(cls.__init__), "dtype", "trainable"} - {"data_format", "basis"}
    config = {key: value for key, value in settings(layer).items() if key in known}
    return cls(**{**config, "group": walk.group, "strict": walk.strict, "name": name, **changes})


def _groups(walk, layer, fields, filters):
    groups = getattr(layer, "groups", 1)
    fitting = max(n for n in range(1, groups + 1) if fields % n == 0 and filters % n == 0)
    if fitting != groups:
        walk.because(f"groups={fitting} divide {fields} and {filters} fields")
    return fitting


def _window(walk, call, x):
    """(arguments for the layer in place of its own, its input) such that its window treats all sides alike."""
    layer = call.operation
    before, after = (walk.space(tensor) for tensor in (call.inputs[0], call.outputs[0]))
    change = walk.exact.sliding(layer, walk.space(x), before, after, "kernel_size", taps=True)
    pointwise = max(layer.kernel_size) == 1
    if change == {} or (change and not pointwise):
        if change:
            walk.because(_sizes(layer.kernel_size, change["kernel_size"], walk, x, layer))
        return change, x
    if pointwise and walk.strict:
        pooled = _pooled(walk, call, x, before, after)
        if pooled is not None:
            return {"strides": 1}, pooled
    if walk.strict:
        raise NoCounterpart(_uneven(layer, layer.kernel_size, walk.space(x)), _remedy(walk, call, x))
    walk.because("kept: " + _uneven(layer, layer.kernel_size, walk.space(x)))
    return {}, x


def _pooled(walk, call, x, before, after):
    """The mean over the pixels of which a convolution of one pixel takes the first; None where there is none."""
    layer, strides = call.operation, call.operation.strides
    guess = walk.stock("AveragePooling")(1, strides=strides, padding=layer.padding)
    change = walk.exact.sliding(guess, walk.space(x), before, after, "pool_size", taps=False)
    if change is None:
        return None
    size = change.get("pool_size", guess.pool_size)
    walk.because(f"the mean of {_by(size)} pixels, of which it took the first")
    new = walk.make(
        layer,
        "pool",
        lambda name: walk.ours("AveragePooling")(
            size, strides=strides, padding=layer.padding, group=walk.group, name=name, dtype=layer.dtype_policy
        ),
    )
    return walk.mark(new(x), walk.kind(x))


def _depthwise(walk, call, x, change):
    layer = call.operation
    multiplier = call.outputs[0].shape[-1] // call.inputs[0].shape[-1]
    if walk.rank == 3:
        filters = x.shape[-1] * multiplier
        new = walk.make(
            layer, "", lambda name: _ours(walk, layer, name, False, filters=filters, groups=x.shape[-1], **change)
        )
        return walk.mark(new(x), REGULAR)
    new = walk.make(layer, "", lambda name: _depthwise_layer(walk, layer, name, multiplier, **change))
    return walk.mark(new(x), REGULAR)


def _depthwise_layer(walk, layer, name, multiplier, **changes):
    """A depthwise convolution with the options of a stock one, whose kernel may have another name."""
    config = settings(layer)
    for option in ("initializer", "regularizer", "constraint"):
        if f"depthwise_{option}" in config:
            changes.setdefault(f"kernel_{option}", config[f"depthwise_{option}"])
    return _with_options(layers.GroupDepthwiseConv2D, walk, layer, name, depth_multiplier=multiplier, **changes)


def _separable(walk, call, x):
    """A depthwise convolution and one of one pixel."""
    layer = call.operation
    if walk.rank != 2:
        raise NoCounterpart("is separable in one axis only", "use two convolutions")
    change, x = _window(walk, call, x)
    x = walk.lift(x, layer.name)
    multiplier, config = layer.depth_multiplier, settings(layer)
    plain = {"use_bias": False, "activation": None, **change}
    first = walk.make(layer, "depthwise", lambda name: _depthwise_layer(walk, layer, name, multiplier, **plain))
    own = {f"kernel_{option}": config[f"pointwise_{option}"] for option in ("initializer", "regularizer", "constraint")}
    own |= {"filters": walk.filters(call.outputs[0]), "kernel_size": 1, "strides": 1, "padding": "valid"}
    own |= {"dilation_rate": 1, "groups": 1}
    y = walk.mark(first(x), REGULAR)
    if layer in walk.plan.predictions:
        y = walk.pool(y, "max", layer.name)
        kept = {key: config[key] for key in ("activation", "use_bias", "dtype")}
        final = walk.make(layer, "", lambda name: walk.stock("Conv")(own["filters"], 1, name=name, **kept))
        return walk.mark(final(y), IMAGE)
    second = walk.make(layer, "", lambda name: _ours(walk, layer, name, False, **own))
    return walk.mark(second(y), REGULAR)


def _prediction(walk, call, x, change):
    """A convolution whose channels are predicted: as many of them, and no group axis behind it."""
    layer = call.operation
    if max(change.get("kernel_size", layer.kernel_size)) == 1:
        x = walk.pool(x, "max", layer.name) if walk.kind(x) == REGULAR else x
        return walk.mark(walk.copy(layer, **change)(x), IMAGE)
    lifting = walk.kind(x) != REGULAR
    changes = {"activation": None, "groups": _groups(walk, layer, x.shape[-1], layer.filters), **change}
    new = walk.make(layer, "", lambda name: _ours(walk, layer, name, lifting, **changes))
    return _predicted(walk, layer, walk.mark(new(x), REGULAR))


def _predicted(walk, layer, x):
    x = walk.pool(x, "mean", layer.name)
    if is_linear(layer.activation):
        return x
    new = walk.make(
        layer,
        "activation",
        lambda name: keras.layers.Activation(layer.activation, name=name, dtype=layer.dtype_policy),
    )
    return walk.mark(new(x), IMAGE)


def _transposed(walk, call, x):
    layer = call.operation
    before, after = (walk.space(tensor) for tensor in (call.inputs[0], call.outputs[0]))
    change = walk.exact.spreading(layer, walk.space(x), before, after)
    if change is None and walk.strict:
        raise NoCounterpart(_uneven(layer, layer.kernel_size, walk.space(x)), "use a kernel_size of twice the strides")
    if change is None:
        walk.because("kept: " + _uneven(layer, layer.kernel_size, walk.space(x)))
    elif "kernel_size" in change:
        walk.because(_sizes(layer.kernel_size, change["kernel_size"], walk, x, layer))
    final = layer in walk.plan.predictions
    changes = {"filters": walk.filters(call.outputs[0]), **(change or {}), **({"activation": None} if final else {})}
    cls = walk.ours("GroupConvTranspose")
    new = walk.make(layer, "", lambda name: _with_options(cls, walk, layer, name, **changes))
    y = walk.mark(new(x), REGULAR)
    return _predicted(walk, layer, y) if final else y


def _pooling(walk, call, args, kwargs):
    layer, x = call.operation, args[0]
    before, after = (walk.space(tensor) for tensor in (call.inputs[0], call.outputs[0]))
    change = walk.exact.sliding(layer, walk.space(x), before, after, "pool_size", taps=False)
    if change is None and walk.strict:
        raise NoCounterpart(_uneven(layer, layer.pool_size, walk.space(x)), _remedy(walk, call, x))
    if change is None:
        walk.because("kept: " + _uneven(layer, layer.pool_size, walk.space(x)))
    elif change:
        walk.because(_sizes(layer.pool_size, change["pool_size"], walk, x, layer))
    config = {"pool_size": layer.pool_size, "strides": layer.strides, "padding": layer.padding, **(change or {})}
    config |= {"group": walk.group, "strict": walk.strict, "dtype": layer.dtype_policy}
    cls = walk.ours("AveragePooling" if traits(layer).linear else "MaxPooling")
    new = walk.make(layer, "", lambda name: cls(**config, name=name))
    return walk.mark(new(x), walk.kind(x))


def _adaptive(walk, call, args, kwargs):
    layer, x = call.operation, args[0]
    sizes, wanted = walk.space(x), resizing.wanted(layer)
    if None in sizes:
        raise NoCounterpart("pools features of unknown size", "give the input a size")
    if any(new > old for old, new in zip(sizes, wanted, strict=True)):
        made = f"makes {_by(wanted)} of {_by(sizes)} pixels, and a pooling cannot enlarge"
        raise NoCounterpart(made, "use Resizing")
    if walk.strict and not walk.exact.resizing(layer, sizes):
        swapped = f"makes {_by(wanted)} of {_by(sizes)} pixels, whose axes {walk.group.name} swaps"
        raise NoCounterpart(swapped, "use one size for all axes")
    cls = walk.ours("AdaptiveAveragePooling" if traits(layer).linear else "AdaptiveMaxPooling")
    config = {"group": walk.group, "strict": walk.strict, "dtype": layer.dtype_policy}
    new = walk.make(layer, "", lambda name: cls(wanted, name=name, **config))
    return walk.mark(new(x), walk.kind(x))


def _border(walk, call, args, kwargs):
    layer, x = call.operation, args[0]
    crops = hasattr(layer, "cropping")
    given = [(-low, -high) for low, high in layer.cropping] if crops else list(layer.padding)
    return _bordered(walk, layer, x, _sides(walk, call, x, given))


def padding(walk, call, args, kwargs):
    """keras.ops.pad around space."""
    x, shape = args[0], call.inputs[0].shape
    widths, number = padding_of(call.operation, len(shape), (call.args, call.kwargs))
    sides = _sides(walk, call, x, list(widths[1:-1]))
    if min(map(min, sides)) < 0:
        return _bordered(walk, call.operation, x, sides)
    deeper = walk.kind(x) == REGULAR
    widths = ((0, 0), *sides, *((0, 0),) * deeper, (0, 0))
    mode = call.operation.mode
    y = keras.ops.pad(x, widths, mode, **({"constant_values": number} if mode == "constant" else {}))
    return walk.mark(y, walk.kind(x))


def taken(walk, call, args, kwargs):
    """A range of pixels and of channels."""
    x, shape = args[0], call.inputs[0].shape
    row = slices_of(call.args[1], len(shape))[1:]
    row = [slice(*r.indices(n)) if n else slice(0, 0) for r, n in zip(row, shape[1:], strict=True)]
    if walk.plan.is_map(call.inputs[0]):
        sides = [(-r.start, r.stop - (n or 0)) for r, n in zip(row[:-1], shape[1:-1], strict=True)]
        x = _bordered(walk, call.operation, x, _sides(walk, call, x, sides), "cut")
    if row[-1].stop - row[-1].start == shape[-1]:
        return x
    before = walk.plan.before[id(call.outputs[0])]
    start = walk.widths(before) if before else 0
    return walk.mark(x[..., start : start + walk.filters(call.outputs[0])], walk.kind(x))


def _sides(walk, call, x, given):
    """How many pixels come to the ends of each axis of space; negative ones are cut off."""
    sides = walk.exact.border(given, walk.space(x), walk.space(call.outputs[0]))
    if sides is None and walk.strict:
        raise NoCounterpart(
            f"treats the ends of an axis differently. Received: {tuple(tuple(map(abs, pair)) for pair in given)}",
            "crop as much at every side, or as much more as makes it even; strict=False keeps it",
        )
    if sides is None:
        walk.because("kept: it treats the ends of an axis differently")
        return given
    if list(sides) != given:
        walk.because(f"{list(sides)} at the ends in place of {given}")
    return sides


def _bordered(walk, layer, x, sides, role=""):
    if not any(map(any, sides)):
        return walk.view(x, walk.kind(x))
    cropping = min(map(min, sides)) < 0
    sides = [tuple(map(abs, pair)) for pair in sides]
    deeper = walk.kind(x) == REGULAR
    if deeper and walk.rank == 3:
        raise NoCounterpart(
            "changes the borders of volumes with a group axis, for which Keras has no layer",
            'use padding="same" in the convolutions',
        )
    border = stock("Cropping" if cropping else "ZeroPadding", walk.rank + deeper)
    amounts = tuple(sides) + ((0, 0),) * deeper
    policy = getattr(layer, "dtype_policy", x.dtype)  # an operation has none
    new = walk.make(layer, role, lambda name: border(amounts, name=name, dtype=policy))
    return walk.mark(new(x), walk.kind(x))


def _upsampling(walk, call, args, kwargs):
    layer, x = call.operation, args[0]
    interpolation = getattr(layer, "interpolation", "nearest")
    if interpolation not in ("nearest", "bilinear"):
        raise NoCounterpart(f"interpolates by {interpolation!r}", 'use "nearest" or "bilinear"')
    if walk.strict and not walk.exact.scaling(layer.size, walk.space(x)):
        raise NoCounterpart(f"enlarges axes that are swapped by different factors, {layer.size}", "use one factor")
    config = {"size": layer.size, "interpolation": interpolation, "group": walk.group, "strict": walk.strict}
    new = walk.make(layer, "", lambda name: walk.ours("UpSampling")(**config, name=name, dtype=layer.dtype_policy))
    return walk.mark(new(x), walk.kind(x))


def resized(walk, call, args, kwargs):
    """Images cut or resampled to a size: regular features by our layer, whose kernel is the linear one."""
    layer, x = call.operation, args[0]
    if walk.strict and not walk.exact.resizing(layer, walk.space(x)):
        sides = f"{_by(walk.space(x))} pixels alike on the way to {_by(resizing.wanted(layer))}"
        raise NoCounterpart(f"does not treat all sides of {sides}", "use sizes that differ by even numbers")
    if walk.kind(x) != REGULAR:
        again = walk.copy if isinstance(layer, keras.layers.Layer) else lambda operation: partial(walk.again, operation)
        return walk.mark(again(layer)(x), walk.kind(x))
    *cuts, last = resizing.steps(layer, walk.space(x))
    if None in last[1]:
        raise NoCounterpart("cuts or resamples features of unknown size", "give the input a size")
    only_cut = isinstance(last[0][0], Centered)
    for row, sizes in (last,) if only_cut else cuts:
        borders = [window.border(size) for window, size in zip(row, sizes, strict=True)]
        x = _bordered(walk, layer, x, [(border.low, border.high) for border in borders], "cut")
    return x if only_cut else _resampled(walk, layer, x)


def _resampled(walk, layer, x):
    interpolation = getattr(layer, "interpolation", "bilinear")
    if interpolation != "bilinear" or getattr(layer, "antialias", False):
        how = " antialiased" if getattr(layer, "antialias", False) else ""
        raise NoCounterpart(f"interpolates by {interpolation!r}{how}", 'use "bilinear", or the layer on the input')
    config = {"output_size": resizing.wanted(layer), "group": walk.group, "strict": walk.strict}
    return walk.mark(walk.make(layer, "", lambda name: walk.ours("Resizing")(**config, name=name))(x), REGULAR)


def _by(sizes):
    return "x".join(map(str, sizes))


def _sizes(given, new, walk, x, layer):
    return (
        f"a window of {_by(new)} in place of {_by(given)}: with strides={layer.strides[0]} it treats all sides of "
        f"{_by(walk.space(x))} pixels alike"
    )


def _remedy(walk, call, x):
    """What to change where no window does: the borders before it, if they are what made other sizes."""
    given, now = walk.space(call.inputs[0]), walk.space(x)
    if given != now:
        return f"add or cut as much at both ends before it, where {_by(given)} became {_by(now)} pixels, {_KEPT}"
    return f"use sizes that its strides divide, {_KEPT}"


def _uneven(layer, window, sizes):
    return (
        f'has a window of {_by(window)} pixels, strides={tuple(layer.strides)}, padding="{layer.padding}", which does '
        f"not treat all sides of {_by(sizes)} pixels alike"
    )


RULES = {
    "convolution": _convolution,
    "pooling": _pooling,
    "adaptive": _adaptive,
    "border": _border,
    "upsampling": _upsampling,
    "resizing": resized,
}
