"""From a spec to a Keras model."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import Any

import keras

from keras_equivariant.compiler.grammar.errors import Problem, SpecError
from keras_equivariant.compiler.grammar.network import Branches
from keras_equivariant.compiler.grammar.spec import Spec, load_spec
from keras_equivariant.compiler.linter import points
from keras_equivariant.compiler.linter.linter import INPUT_NAME, trace
from keras_equivariant.utils.periodic import periodic_width


def build_from_spec(source: str | os.PathLike[str] | Mapping[str, Any] | Spec, /, **params: Any) -> keras.Model:
    """Builds the network that a spec describes.

    Args:
        source: path of a YAML file; the name of a packaged spec, with or without `.yaml` (see `list_specs()`); a dict;
            or a `Spec` from `load_spec`.
        **params: values of the spec's parameters, instead of their defaults.

    Returns:
        A functional `keras.Model`, under the global dtype policy, with fresh weights.

    Raises:
        SpecError: every mistake in the spec, one line each: file, line, place, what is wrong, and the nearest right
            name; also every layer on whose sizes the symmetry breaks. With `strict: false` on those layers they are
            listed in one warning instead.

    Equivariance: what the linter finds no problem with commutes exactly with the flips and quarter turns of its group.

    Example:
        >>> import keras_equivariant as ke
        >>> model = ke.build_from_spec("p4_cnn", classes=4)
        >>> model.output_shape
        (None, 4)
    """
    spec = load(source, params)
    traced = trace(spec)
    if traced.errors:
        raise SpecError(traced.problems)
    if traced.problems:
        lines = "\n".join(str(problem) for problem in traced.problems)
        warnings.warn(f"{spec.name} is not exactly equivariant or invariant:\n{lines}", stacklevel=2)
    inputs = _inputs(spec)
    with warnings.catch_warnings():
        # Said above, with file and line.
        warnings.filterwarnings("ignore", message=".*loses its exact symmetry")
        warnings.filterwarnings("ignore", message=".*built without that symmetry")
        warnings.filterwarnings("ignore", message=".*has frequencies that the pixels cannot rotate")
        outputs = _connect(spec.layers, tuple(inputs) if isinstance(inputs, list) else inputs, iter(traced.layers))
    return keras.Model(inputs, outputs, name=spec.name)


def _inputs(spec):
    given = {"name": INPUT_NAME, **spec.input}
    space, _, periodic = given.pop("space", None), given.pop("type", None), given.pop("periodic", False)
    if space is None:
        return keras.Input(**given)
    count, channels = given["shape"]
    width = periodic_width(space) if periodic else space
    shapes, dtypes = ((count, width), (count, channels), (count,)), (None, given.get("dtype"), "bool")
    kinds = zip(points.INPUTS, shapes, dtypes, strict=True)
    return [keras.Input(shape, dtype=dtype, name=name) for name, shape, dtype in kinds]


def lint(source: str | os.PathLike[str] | Mapping[str, Any] | Spec, /, **params: Any) -> list[Problem]:
    """Checks the symmetry of a whole network without building it.

    Args:
        source, **params: as `build_from_spec` takes them.

    Returns:
        A list of `Problem`: where, what, and whether it is an `"error"` or, under `strict: false`, a `"warning"`.
        Empty if there are none. `str(trace(load_spec(source)))` shows all layers with their layouts.

    Raises:
        SpecError: a mistake in the grammar or the parameters of the spec.

    Example:
        >>> import keras_equivariant as ke
        >>> ke.compiler.lint("p4_cnn")
        []
    """
    return trace(load(source, params)).problems


def load(source, params):
    """The Spec of a source that may be one already."""
    if not isinstance(source, Spec):
        return load_spec(source, **params)
    if params:
        raise TypeError(
            f"A loaded Spec has its parameters already. Received: {', '.join(params)}; give them to load_spec"
        )
    return source


def _connect(entries, x, traced):
    """Applies the layers in the order in which the linter walked them."""
    for entry in entries:
        if isinstance(entry, Branches):
            branches = [_connect(branch, x, traced) for branch in entry.branches]
            x = _apply(next(traced), branches, points.merge)
        else:
            x = _apply(next(traced), x, points.apply)
    return x


def _apply(traced, x, call):
    try:
        return call(traced.layer, x)
    except MemoryError as error:
        raise SpecError([Problem(traced.entry.where, f"there is not enough memory for the layer. {error}")]) from error
    except Exception as error:  # what stock layers raise as they are built has no common base
        raise SpecError([Problem(traced.entry.where, str(error))]) from error
