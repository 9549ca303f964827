"""What certification makes of a Keras model: test inputs, and its twin in float64."""

import contextlib
import textwrap
import warnings

import keras
import numpy as np

from keras_equivariant import groups
from keras_equivariant.equivariance import points
from keras_equivariant.equivariance.measure import OnArrays
from keras_equivariant.equivariance.verdict import TOLERANCE, lowest_precision
from keras_equivariant.graphs.calls import calls, check_channels_last, fresh
from keras_equivariant.graphs.reading import is_plain, walk
from keras_equivariant.graphs.rewriting import Rewriter, inlined
from keras_equivariant.graphs.symmetry import framed_inputs
from keras_equivariant.graphs.weights import clone_operation, constants, set_weights
from keras_equivariant.ops.precision import float64_kept


def random_inputs(model, group, samples, size, seed):
    """Smooth random images in the structure and range of the model's inputs; unknown sizes become `size`."""
    if model is None:
        raise ValueError(
            "Random inputs are made for functional and Sequential models only; pass inputs= to certify a "
            "subclassed model or any other function. Received: a function whose input is not known"
        )
    center, spread = _input_range(model)
    generator = np.random.default_rng(seed)

    framed = {id(tensor) for tensor, is_framed in zip(model.inputs, framed_inputs(model), strict=True) if is_framed}

    def draw(tensor):
        shape = tuple(size if n is None else n for n in tensor.shape[1:])
        if id(tensor) in framed:
            return image(shape[1:], tensor.dtype, samples * shape[0]).reshape(samples, *shape)
        return image(shape, tensor.dtype, samples)

    def image(shape, dtype, samples):
        dtype = np.dtype(keras.backend.standardize_dtype(dtype) if dtype != "bfloat16" else "float32")
        if dtype.kind == "b":  # a mask: some points are missing
            return generator.random((samples, *shape)) < 0.8
        if dtype.kind not in "fu":
            raise ValueError(
                "Random inputs are made for inputs of real numbers or unsigned integers; pass inputs= of "
                f"your own. Received: an input of dtype {dtype.name}"
            )
        spatial = group.dimension if group.orthogonal and len(shape) > group.dimension else 0  # points have no grid
        _check_square(model, shape[:spatial], group)
        x = smooth_noise((samples, *shape), spatial, generator)
        if dtype.kind == "u":
            return np.clip(np.round(127 + 50 * x), 0, 255).astype(dtype)
        return (center + spread * x).astype(dtype if group.orthogonal else "float64")

    return points.in_cells(keras.tree.map_structure(draw, model.input), model, generator)


def _check_square(model, sizes, group):
    if sizes and not groups.grid.keeps_shape(group, sizes):
        check_channels_last(model)
        square = {2: "a square", 3: "a cube"}[group.dimension]
        raise ValueError(
            f"Group {group.name} has quarter turns, which swap axes of the input: these must have one size. "
            f"Received: input sizes {sizes}; pad the input to {square}, or use a group that swaps none, such as "
            f"{groups.grid.UPRIGHT[group.dimension]}"
        )


def _input_range(model):
    """Mean and deviation of raw inputs, read off the Normalization or Rescaling layer that a model starts with."""
    if len(model.inputs) > 1:
        return 0.0, 1.0
    first = next(
        (layer for layer in walk(model) if not isinstance(layer, (keras.Model, keras.layers.InputLayer))), None
    )
    if isinstance(first, keras.layers.Normalization) and first.mean is not None and not first.invert:
        mean, variance = (keras.ops.convert_to_numpy(v).astype(np.float64) for v in (first.mean, first.variance))
        return mean, np.sqrt(variance)
    if isinstance(first, keras.layers.Rescaling):
        scale, offset = np.asarray(first.scale, np.float64), np.asarray(first.offset, np.float64)
        return -offset / scale, 1 / scale
    return 0.0, 1.0


def smooth_noise(shape, dimension, generator, wavelength=10.0):
    """Noise of mean 0 and deviation 1 without structure much finer than `wavelength` pixels."""
    x = generator.standard_normal(shape)
    if not dimension:
        return x
    axes = tuple(range(1, 1 + dimension))
    squares = [np.square(np.fft.fftfreq(shape[a])).reshape(-1, *(1,) * (len(shape) - 1 - a)) for a in axes]
    x = np.fft.ifftn(np.fft.fftn(x, axes=axes) * np.exp(-sum(squares) * wavelength**2 / 2), axes=axes).real
    return (x - x.mean()) / max(x.std(), 1e-12)


@contextlib.contextmanager
def float64_policy():
    """Within it layers that name no dtype policy of their own are built in float64."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)


def has_float64():
    """Whether the backend keeps float64; JAX on some devices does not."""
    with warnings.catch_warnings(), float64_kept():
        warnings.simplefilter("ignore")  # JAX warns of what is asked here
        return keras.backend.standardize_dtype(keras.ops.zeros((1,), dtype="float64").dtype) == "float64"


def rounds_to_float32():
    """Whether operations of Keras round float64 to float32 on this backend; mean() does on JAX and torch."""
    x = np.array([1.0, 1.0 + 1e-12])
    return float(keras.ops.convert_to_numpy(keras.ops.mean(keras.ops.convert_to_tensor(x)))) == 1.0


def rounding_call(network, inputs, batch):
    """The first call that computes in float32 whatever its dtype, as resizing does; None where there is none.

    What it gives are numbers of float32, although none of what the network takes is.
    """
    graph = inlined(network)
    listed = calls(graph)
    noise = np.random.default_rng(0)
    batch = [x * (1 + 1e-6 * noise.uniform(-1, 1, x.shape)) if x.dtype.kind == "f" else x for x in map(_wide, batch)]
    tensors = [tensor for call in listed for tensor in call.outputs]
    values = OnArrays(keras.Model(graph.input, tensors), inputs)(batch)
    values = dict(zip(map(id, tensors), values, strict=True))
    return next((call for call in listed if any(_is_rounded(values[id(t)]) for t in call.outputs)), None)


def _is_rounded(y):
    """Whether numbers are in float32, or all those in float64 are of float32, and not for being whole."""
    if y.dtype == np.float32:  # what CenterCrop gives where it enlarges
        return True
    return y.dtype == np.float64 and np.array_equal(y, y.astype(np.float32)) and not np.array_equal(y, np.round(y))


class NotClonable(Exception):
    """Why a model has no twin in float64."""


def in_float64(network, inputs, batch, reference, sizes=None):
    """A functional model that computes the same in float64.

    Args:
        network: a plain functional model.
        inputs: the structure of the inputs.
        batch: arrays.
        reference: the model's outputs for them.
        sizes: for each output that of the features of which it is a mean.

    Raises:
        NotClonable: where the backend has no float64, a layer cannot be built again or computes in less than float64
            whatever its policy, or the twin's outputs are not the model's.
    """
    if not has_float64():
        raise NotClonable(f"the {keras.backend.backend()} backend has no float64 on this device")
    try:
        with float64_policy():
            twin = _rebuilt(network, _Widening())
        outputs = OnArrays(twin, inputs)(batch)
    except NotClonable:
        raise
    except Exception as error:
        # Whatever a user's layer raises when it is built again, the certificate in float32 can still be given.
        why = textwrap.shorten(str(error), 200, placeholder=" ...")
        raise NotClonable(f"the model could not be cloned: {why}") from error
    if not rounds_to_float32():
        _check_float64(twin)
    if not _alike(outputs, reference, sizes):
        again = OnArrays(_rebuilt(network, _Cloning()), inputs)(batch)
        if _alike(again, reference, sizes):
            raise NotClonable(
                "in float64 it gives other outputs, as it does not when it is built again in its own precision: "
                "rounding decides a comparison in it, such as which of almost equally far points it takes"
            )
        raise NotClonable(
            "its clone in float64 gives other outputs; some layer's get_config() and weights do not describe all of it"
        )
    return twin


def _rebuilt(network, cloning):
    """The network that a _Cloning makes, with the weights of the original."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # layers said what they had to say when the user built them
        model = cloning.run(network)
    for old, new in cloning.pairs.values():
        set_weights(new, [w if w.dtype.kind in "iub" else cloning.number(w) for w in old.get_weights()])
    return model


def _alike(outputs, reference, sizes):
    """Whether outputs are those of a model, but for rounding."""
    for ours, theirs, features in zip(outputs, reference, sizes or [0.0] * len(outputs), strict=True):
        size = max(np.max(np.abs(theirs.astype(np.float64)), initial=0), features)
        rounding = max(0.05, 3 * TOLERANCE.get(theirs.dtype.name, 0)) * size
        if np.isfinite(size) and not np.allclose(
            ours.astype(np.float64), theirs.astype(np.float64), rtol=0, atol=rounding
        ):
            return False
    return True


class _Cloning(Rewriter):
    """The same layers, without their weights.

    Attributes:
        pairs: each layer of the model with the new one.
    """

    purpose = "computed again"

    def __init__(self):
        super().__init__()
        self.pairs = {}

    def input(self, tensor):
        return fresh(tensor)

    def call(self, operation, args, kwargs):
        args, kwargs = keras.tree.map_structure(self.number, constants((args, kwargs)))
        if not isinstance(operation, keras.Layer):
            return clone_operation(operation, operation.name)(*args, **kwargs)
        if id(operation) not in self.pairs:
            self.pairs[id(operation)] = operation, self.layer(operation)
        return self.pairs[id(operation)][1](*args, **kwargs)

    def number(self, x):
        """A constant or weight as the new layers have it."""
        return x

    def layer(self, layer):
        """The new layer."""
        return type(layer).from_config(layer.get_config())


class _Widening(_Cloning):
    """The same layers in float64, without their weights."""

    purpose = "computed in float64"

    def input(self, tensor):
        return fresh(tensor, "float64" if keras.backend.is_float_dtype(tensor.dtype) else None)

    def number(self, x):
        return _wide(x)

    def layer(self, layer):
        if isinstance(layer, keras.layers.Lambda):  # its function may be one that cannot be serialized
            return keras.layers.Lambda(layer.function, mask=layer.mask, arguments=layer.arguments, name=layer.name)
        return type(layer).from_config(_float64_config(layer.get_config()))


def _wide(x):
    return x.astype(np.float64) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x


def _float64_config(config):
    """The config with every dtype policy of real numbers, also inside nested layers, replaced by float64."""
    if isinstance(config, dict):
        return {
            key: "float64" if key == "dtype" and _is_float(value) else _float64_config(value)
            for key, value in config.items()
        }
    return [_float64_config(value) for value in config] if isinstance(config, list) else config


def _is_float(policy):
    name = policy.get("config", {}).get("name") if isinstance(policy, dict) else policy
    return name is None or "float" in str(name)


def _check_float64(model):
    for graph in (layer for layer in walk(model) if is_plain(layer)):
        for call in calls(graph):
            for tensor in call.outputs:
                if keras.backend.is_float_dtype(tensor.dtype) and tensor.dtype != "float64":
                    raise NotClonable(f"{call.operation.name!r} computes in {tensor.dtype} whatever its dtype policy")


def compute_dtype(model):
    """The lowest precision that any layer computes in."""
    return lowest_precision(layer.compute_dtype for layer in walk(model))
