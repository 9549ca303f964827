"""The calls inside a subclassed model or a layer made of layers, followed on symbolic tensors."""

import inspect
import pathlib
import textwrap
import traceback

import keras

_LIBRARIES = (
    *(str(pathlib.Path(keras.__file__).parent), str(pathlib.Path(__file__).parents[1])),
    *(f"/site-packages/{name}/" for name in ("tensorflow", "jax", "torch")),
)


class Untraceable(ValueError):
    """Why the calls inside a model or layer are not known."""


def follow(operation, args, kwargs, purpose):
    """What the `call` of a layer gives for symbolic tensors, each call inside it on the record.

    Args:
        operation: a layer or model that is built.
        purpose: what the model is wanted for, as the error says it.

    Raises:
        Untraceable: with the line of `call` that does not take symbolic tensors.
    """
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


def _line(error):
    """The user's line at which an exception arose."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not any(folder in frame.filename for folder in _LIBRARIES)]
    frame = (own or frames)[-1]
    return f"`{frame.line or frame.name}` (line {frame.lineno} of {pathlib.Path(frame.filename).name})"
