"""The calls inside a subclassed model or a layer made of layers, followed on symbolic tensors."""

import inspect
import pathlib
import textwrap
import traceback

import keras
import numpy as np

from keras_equivariant.graphs.calls import call_of, ids

_LIBRARIES = (
    *(str(pathlib.Path(keras.__file__).parent), str(pathlib.Path(__file__).parents[1])),
    *(f"/site-packages/{name}/" for name in ("tensorflow", "jax", "torch")),
)


class Untraceable(ValueError):
    """Why the calls inside a model or layer are not known."""


def follow(operation, args, kwargs, purpose):
    """What the `call` of a layer gives for symbolic tensors, each call inside it on the record.

    Args:
        operation: a layer or model that is built. One with `untraceable` says itself why it is not, and what to do.
        purpose: what the model is wanted for, as the error says it.

    Raises:
        Untraceable: with the line of `call` that does not take symbolic tensors.
    """
    if hasattr(operation, "untraceable"):
        raise Untraceable(
            f"The calls inside a model must be known to have it {purpose}. Received: "
            f'"{operation.name}" of class {type(operation).__name__}, which {operation.untraceable}'
        )
    accepted = inspect.signature(operation.call).parameters
    given = {key: value for key, value in kwargs.items() if value is not None and key != "training" and key in accepted}
    try:
        results = operation.call(*args, **given)
    except Exception as error:  # whatever a user's code raises on a tensor without numbers
        reason = textwrap.shorten(str(error), 240, placeholder=" ...").rstrip(".")
        raise Untraceable(
            f"The calls inside a subclassed model or layer must be known to have it {purpose}. Received: "
            f'"{operation.name}" of class {type(operation).__name__}, where {_line(error)} takes no symbolic tensors: '
            f"{reason}. Use layers and keras.ops there, build it in the functional API, or with "
            "keras_equivariant.build_from_spec"
        ) from error
    strangers = [x for x in keras.tree.flatten(results) if not isinstance(x, keras.KerasTensor)]
    if strangers:
        raise Untraceable(
            f'The results of a call must depend on its inputs to have it {purpose}. Received: "{operation.name}" of '
            f"class {type(operation).__name__}, which returns {strangers[0]!r}"
        )
    return results


def follow_function(layer, args, kwargs, purpose):
    """`follow` of a layer without variables: the operations inside it are marked with its name, as `inside`.

    Raises:
        Untraceable: where it gives other numbers from call to call, such as random ones, which a trace would keep.
    """
    results = follow(layer, args, kwargs, purpose)
    if not _repeats_itself(layer, args, kwargs):
        raise Untraceable(
            f'A layer must compute the same at each call to have it {purpose}. Received: "{layer.name}" of class '
            f"{type(layer).__name__}, which draws numbers of its own; use a layer that draws in training only, such as "
            "GaussianNoise"
        )
    for call in _calls_between(args, results):
        call.operation.inside = layer.name
    return results


def _repeats_itself(layer, args, kwargs):
    """Whether a layer gives the same for the same numbers, several times."""
    generator = np.random.default_rng(0)

    def draw(x):
        if not isinstance(x, keras.KerasTensor):
            return x
        return keras.ops.cast(generator.normal(size=[n or 2 for n in x.shape]), x.dtype)

    args, kwargs = keras.tree.map_structure(draw, (args, kwargs))
    found = [list(map(keras.ops.convert_to_numpy, keras.tree.flatten(layer(*args, **kwargs)))) for _ in range(4)]
    return all(np.allclose(x, y, equal_nan=True) for other in found[1:] for x, y in zip(found[0], other, strict=True))


def _calls_between(inputs, outputs):
    """The calls that make some tensors of others."""
    known, found, waiting = ids(inputs), [], list(keras.tree.flatten(outputs))
    while waiting:
        tensor = waiting.pop()
        call = None if id(tensor) in known else call_of(tensor)
        if call is not None:
            found.append(call)
            known |= ids(call.outputs)
            waiting.extend(call.inputs)
    return found


def _line(error):
    """The user's line at which an exception arose."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not any(folder in frame.filename for folder in _LIBRARIES)]
    frame = (own or frames)[-1]
    return f"`{frame.line or frame.name}` (line {frame.lineno} of {pathlib.Path(frame.filename).name})"
