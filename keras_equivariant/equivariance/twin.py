"""What certification asks of a Keras model: its group, test inputs, its twin in float64, its layers' outputs."""

import contextlib
import textwrap
import warnings

import keras
import numpy as np

from keras_equivariant import groups
from keras_equivariant.equivariance import points
from keras_equivariant.equivariance.measure import as_callable
from keras_equivariant.equivariance.verdict import TOLERANCE, lowest_precision
from keras_equivariant.groups import FieldType


def walk(layer):
    """The layer and every layer inside it, outermost first."""
    yield layer
    inner = list(getattr(layer, "layers", None) or ())
    if isinstance(getattr(layer, "layer", None), keras.Layer):
        inner.append(layer.layer)  # wrappers such as TimeDistributed
    for child in inner:
        if isinstance(child, keras.Layer):
            yield from walk(child)


def find_group(model):
    """The group that the model's layers name; of several, one within the other, the smallest."""
    layers = list(walk(model)) if isinstance(model, keras.Layer) else []
    lie_group = points.lie_group_of(layers)
    if lie_group is not None:
        return lie_group
    found = {layer.group for layer in layers if isinstance(getattr(layer, "group", None), groups.Group)}
    found |= {layer.out_type.group for layer in layers if isinstance(getattr(layer, "out_type", None), FieldType)}
    smallest = [group for group in found if all(groups.contains(other, group) for other in found)]
    if not smallest:
        raise ValueError(
            "The group must follow from the model's layers, else be given as in certify(model, "
            f'group="D4"). Received: a model with {_listed(sorted(g.name for g in found))}'
        )
    return smallest[0]


def find_types(model):
    """The field types of the model's layers."""
    layers = walk(model) if isinstance(model, keras.Layer) else ()
    found = [getattr(layer, name, None) for layer in layers for name in ("in_type", "out_type")]
    return tuple(dict.fromkeys(field_type for field_type in found if isinstance(field_type, FieldType)))


def output_types(network, otherwise, group=None):
    """The field type of each of a functional model's outputs, or `otherwise` where its last layer names none."""
    operations = [tensor._keras_history.operation for tensor in keras.tree.flatten(network.output)]
    if group is not None and not group.orthogonal:
        return points.output_layouts(operations)
    found = [getattr(operation, "out_type", None) for operation in operations]
    return [field_type if isinstance(field_type, FieldType) else otherwise for field_type in found]


def find_subgroups(model):
    """Names of the subgroups that the model pools over, for layouts on cosets."""
    layers = walk(model) if isinstance(model, keras.Layer) else ()
    names = (getattr(layer, "subgroup", None) for layer in layers)
    return tuple(dict.fromkeys(getattr(name, "name", name) for name in names if name is not None))


def _listed(names):
    return f"layers of the groups {', '.join(names)}" if names else "no layer that has a group"


def as_functional(model, inputs):
    """A functional model of any layer or model whose graph is known; None for a subclassed model."""
    if not isinstance(model, keras.Model):
        if inputs is None:
            raise ValueError(f"A layer has no input shape of its own: pass inputs=. Received: {model!r}")
        symbolic = keras.tree.map_structure(lambda x: keras.Input(x.shape[1:], dtype=model.input_dtype), inputs)
        return keras.Model(symbolic, model(symbolic), name=model.name)
    if isinstance(model, keras.Sequential) and not model.built:
        if inputs is None:
            raise ValueError(
                "A Sequential model must be built or start with an Input, else pass inputs=. "
                f"Received: the unbuilt model {model.name!r}"
            )
        model.build(keras.tree.map_structure(lambda x: (None, *x.shape[1:]), inputs))
    return graph(model)


def random_inputs(model, group, samples, size, seed):
    """Smooth random images in the structure and range of the model's inputs; unknown sizes become `size`."""
    if model is None:
        raise ValueError(
            "Random inputs are made for functional and Sequential models only; pass inputs= to certify a "
            "subclassed model or any other function. Received: a function whose input is not known"
        )
    centre, spread = _input_range(model)
    generator = np.random.default_rng(seed)

    def draw(tensor):
        shape = tuple(size if n is None else n for n in tensor.shape[1:])
        dtype = np.dtype(keras.backend.standardize_dtype(tensor.dtype) if tensor.dtype != "bfloat16" else "float32")
        if dtype.kind == "b":  # a mask: some points are missing
            return generator.random((samples, *shape)) < 0.8
        if dtype.kind not in "fu":
            raise ValueError(
                "Random inputs are made for inputs of real numbers or unsigned integers; pass inputs= of "
                f"your own. Received: an input of dtype {dtype.name}"
            )
        spatial = group.dimension if len(shape) > group.dimension else 0
        _check_square(shape[:spatial], group)
        x = smooth_noise((samples, *shape), spatial, generator)
        if dtype.kind == "u":
            return np.clip(np.round(127 + 50 * x), 0, 255).astype(dtype)
        return (centre + spread * x).astype(dtype if group.orthogonal else "float64")

    return keras.tree.map_structure(draw, model.input)


def _check_square(sizes, group):
    if sizes and not groups.grid.keeps_shape(group, sizes):
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
    """Whether the backend keeps float64; JAX rounds all arrays to float32 unless told otherwise at its start."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # JAX warns of what is asked here
        return keras.backend.standardize_dtype(keras.ops.zeros((1,), dtype="float64").dtype) == "float64"


def rounds_to_float32():
    """Whether operations of Keras round float64 to float32 on this backend; mean() does on JAX and torch."""
    x = np.array([1.0, 1.0 + 1e-12])
    return float(keras.ops.convert_to_numpy(keras.ops.mean(keras.ops.convert_to_tensor(x)))) == 1.0


class NotClonable(Exception):
    """Why a model has no twin in float64."""


def in_float64(network, inputs, batch, reference):
    """A functional model that computes the same in float64.

    Args:
        network: the model's graph, or None if it is not known.
        inputs: the structure of the inputs.
        batch: arrays.
        reference: the model's outputs for them.

    Raises:
        NotClonable: where the backend has no float64, a layer cannot be made anew or computes in less than float64
            whatever its policy, or the twin's outputs are not the model's.
    """
    if not has_float64():
        raise NotClonable(
            f"the {keras.backend.backend()} backend has no float64; set JAX_ENABLE_X64=1 in the environment"
        )
    if network is None:
        raise NotClonable("the graph of a subclassed model is not known")
    pairs = []
    try:
        with warnings.catch_warnings(), float64_policy():
            warnings.simplefilter("ignore")  # layers said what they had to say when the user built them
            twin = _clone(network, pairs)
        for old, new in pairs:
            new.set_weights([w if w.dtype.kind in "iub" else w.astype(np.float64) for w in old.get_weights()])
            if hasattr(new, "finalize_state"):  # preprocessing layers read their weights here
                new.finalize_state()
        outputs = as_callable(twin, inputs)(batch)
    except NotClonable:
        raise
    except Exception as error:
        # Whatever a user's layer raises when it is made anew, the certificate in float32 can still be given.
        why = textwrap.shorten(str(error), 200, placeholder=" ...")
        raise NotClonable(f"the model could not be cloned: {why}") from error
    if not rounds_to_float32():
        _check_float64(twin)
    for ours, theirs in zip(outputs, reference, strict=True):
        size = np.max(np.abs(theirs.astype(np.float64)), initial=0)
        rounding = max(0.05, 3 * TOLERANCE.get(theirs.dtype.name, 0)) * size
        if np.isfinite(size) and not np.allclose(ours, theirs.astype(np.float64), rtol=0, atol=rounding):
            raise NotClonable(
                "its clone in float64 gives other outputs; some layer's get_config() and weights do not "
                "describe all of it"
            )
    return twin


def _clone(model, pairs):
    def wide(tensor):
        dtype = "float64" if keras.backend.is_float_dtype(tensor.dtype) else tensor.dtype
        return keras.Input(batch_shape=tensor.shape, dtype=dtype, name=tensor.name)

    def clone(layer):
        if isinstance(layer, keras.Model):
            inner = graph(layer)
            if inner is None:
                raise NotClonable(f"the graph of the subclassed model {layer.name!r} is not known")
            return _clone(inner, pairs)
        if isinstance(layer, keras.layers.Lambda):  # its function may be one that cannot be serialized
            return keras.layers.Lambda(layer.function, mask=layer.mask, arguments=layer.arguments, name=layer.name)
        new = type(layer).from_config(_float64_config(layer.get_config()))
        if isinstance(layer, keras.Layer):
            pairs.append((layer, new))
        return new

    inputs = keras.tree.map_structure(wide, model.input)
    return keras.models.clone_model(model, input_tensors=inputs, clone_function=clone)


def graph(model):
    """A plain functional model with the layers of a functional or Sequential one; None if the graph is not known."""
    sequential = isinstance(model, keras.Sequential)  # its `input` is that of the graph it is called in
    try:
        ends = (model.inputs[0], model.outputs[0]) if sequential else (model.input, model.output)
        plain = keras.Model(*ends, name=model.name)
    except (AttributeError, ValueError):
        return None
    return None if model in plain.operations else plain


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
    for layer in walk(model):
        for operation in getattr(layer, "operations", ()):
            for tensor in keras.tree.flatten(operation.output):
                if keras.backend.is_float_dtype(tensor.dtype) and tensor.dtype != "float64":
                    raise NotClonable(f"{operation.name!r} computes in {tensor.dtype} whatever its dtype policy")


def compute_dtype(model):
    """The lowest precision that any layer computes in."""
    return lowest_precision(layer.compute_dtype for layer in walk(model))


def symmetry_problems(network):
    """By layer name, what a layer of this package says breaks its symmetry on the sizes it has."""
    operations = [op for layer in walk(network) for op in getattr(layer, "operations", ())] if network else []
    return {
        op.name: op.symmetry_problems(op.input.shape)
        for op in operations
        if hasattr(op, "symmetry_problems") and isinstance(op.input, keras.KerasTensor)
    }


def layer_outputs(model):
    """Per operation of a functional model in order: `(operation, its input tensors, its output tensors)`.

    Empty if an operation was first called in another graph, since then its tensors here are not known.
    """
    # A model inside the model has `input` and `output` of its own; Operation's are those in the graph around it.
    read, write = keras.Operation.input.fget, keras.Operation.output.fget
    found = [
        (operation, keras.tree.flatten(read(operation)), keras.tree.flatten(write(operation)))
        for operation in model.operations
        if not isinstance(operation, keras.layers.InputLayer)
    ]
    try:
        keras.Model(model.input, [tensor for _, _, tensors in found for tensor in tensors])
    except ValueError:
        return []
    return found
