"""`equivariance_error` and `assert_equivariant`: the law on given inputs, for any function of arrays."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras
import numpy as np

from keras_equivariant import groups
from keras_equivariant.equivariance import points
from keras_equivariant.equivariance.layouts import finite, parsed, resolve
from keras_equivariant.equivariance.measure import OnArrays, as_array, measure, tested_on
from keras_equivariant.equivariance.verdict import hint, limit, part_errors, vacuous
from keras_equivariant.graphs.reading import walk
from keras_equivariant.groups.group import Group
from keras_equivariant.groups.layouts import Invariant
from keras_equivariant.utils.checks import not_negative, positive
from keras_equivariant.utils.text import number, table

LAWS = ("equivariance", "invariance")


class ElementErrors(dict):
    """Relative L2 errors by element name; printed as a table.

    Attributes:
        interpolated: the names of the elements whose error holds the error of interpolation.
    """

    def __init__(self, errors, interpolated):
        super().__init__(errors)
        self.interpolated = frozenset(interpolated)

    @property
    def max_exact(self):
        """The worst error of the elements that map the pixel grid onto itself."""
        return max((error for name, error in self.items() if name not in self.interpolated), default=math.nan)

    def __str__(self):
        rows = [
            (name, "interpolated" if name in self.interpolated else "exact", number(error))
            for name, error in self.items()
        ]
        return "\n".join(table(("element", "action", "error"), rows))


def equivariance_error(
    fn: Callable[..., Any],
    group: str | Group,
    x: Any,
    *,
    law: Literal["equivariance", "invariance"] = "equivariance",
    elements: Sequence[int | str] | Literal["exact"] | None = None,
    input_layout: Any = "auto",
    output_layout: Any = "auto",
    batch_size: int = 32,
) -> ElementErrors:
    """How far a function is from commuting with a group: |f(g x) - g f(x)| / |f(x)| for every element g.

    Args:
        fn: any function of NumPy arrays, a Keras layer or a Keras model (both run in inference).
        group: group name or object; SO(2) is tested on C8, O(2) on D8, SO(3) on O, O(3) on Oh, and features that lie
            on no pixels on eight random elements besides.
        x: an array with the samples on axis 0, or a list or dict of such arrays, passed to `fn` as it is.
        law: `"equivariance"`: f(g x) = g f(x). `"invariance"`: f(g x) = f(x), whatever the output's shape.
        elements: indices or names of elements; `"exact"` for those that need no interpolation; all by default.
        input_layout, output_layout: how a group element acts on the arrays (`groups.act`): `"image"`, `"regular"`,
            `"quotient(H)"`, `"invariant"`, `"regular_vector"`; `"folded"` for regular features whose group axis is
            merged into the channels; `"positions"` and `"vectors"`; a FieldType or its text, such as `"8x0 + 4x1"`;
            or a callable `(array, group, element) -> array`. One for all arrays or one per array; `"auto"` reads it off
            the shape.
        batch_size: the most samples in one call. The last batch is filled up to this size.

    Returns:
        ElementErrors, a dict from element name to error, the worst over the outputs. Elements that do not map the
        pixel grid onto itself are listed in its `interpolated`; for them the input is taken on the disc in the grid
        and the outputs are compared there. The error is nan where f(x) = 0.

    Raises:
        ValueError: if a layout does not follow from the shape, or no input would be transformed.

    Example:
        >>> import numpy as np
        >>> import keras_equivariant as ke
        >>> x = np.random.default_rng(0).normal(size=(2, 9, 9, 1))
        >>> errors = ke.equivariance_error(np.tanh, "D4", x)
        >>> max(errors.values())
        0.0
    """
    group, parts = _measure(fn, group, x, law, elements, input_layout, output_layout, batch_size)
    errors = {element: error for part in parts for element, error in part_errors(part).items()}
    return ElementErrors(
        {group.element_names[e]: errors[e] for e in sorted(errors)},
        [group.element_names[e] for part in parts if part.interpolated for e in part.elements],
    )


def assert_equivariant(
    fn: Callable[..., Any],
    group: str | Group,
    x: Any,
    *,
    rtol: float | None = None,
    atol: float = 0.0,
    law: Literal["equivariance", "invariance"] = "equivariance",
    elements: Sequence[int | str] | Literal["exact"] | None = None,
    input_layout: Any = "auto",
    output_layout: Any = "auto",
    batch_size: int = 32,
) -> None:
    """Raises an AssertionError unless |f(g x) - g f(x)| <= atol + rtol |f(x)| for every element g.

    A function that cannot fail does not pass: the output must be finite, must not be zero and must depend on the
    input, and the inputs must change under every element.

    Args:
        rtol: relative tolerance; by default 1e-12 for outputs in float64 and 1e-5 in float32.
        atol: absolute tolerance on the L2 norm.
        fn, group, x, law, elements, input_layout, output_layout, batch_size: as in `equivariance_error`.

    Example:
        >>> import numpy as np
        >>> import keras_equivariant as ke
        >>> x = np.random.default_rng(0).normal(size=(2, 9, 9, 1))
        >>> ke.assert_equivariant(lambda x: x.mean(axis=(1, 2)), "D4", x, law="invariance")
    """
    rtol, atol = None if rtol is None else not_negative(rtol, "rtol"), not_negative(atol, "atol")
    group, parts = _measure(fn, group, x, law, elements, input_layout, output_layout, batch_size)
    faults = [fault for part in parts for fault in vacuous(group, part, rtol)]
    if not any(element for part in parts for element in part.elements):
        faults.append("no element but the identity")
    if faults:
        raise AssertionError("The law must be tested on something. Received: " + "; ".join(dict.fromkeys(faults)))
    rows, passed = [], set()
    for part in parts:
        for column, element in enumerate(part.elements):
            excess = [
                (row[column], row[column] - limit(y, rtol) - atol / math.sqrt(y.norm))
                for y in part.outputs
                for row in y.errors
            ]
            error, over = max(excess, key=operator.itemgetter(1))
            if over <= 0:
                passed.add(element)
            else:
                rows.append((group.element_names[element], "interpolated" if part.interpolated else "exact", error))
    if not rows:
        return
    rows = [(*row[:2], number(row[2])) for row in sorted(rows, key=lambda row: -row[2])]
    more = [f"... and {len(rows) - 8} more"] if len(rows) > 8 else []
    relation = "f(gx) = f(x)" if law == "invariance" else "f(gx) = g f(x)"
    raise AssertionError(
        "\n".join(
            [
                f"The function must satisfy {relation} for {group.name}. Received: {len(rows)} elements beyond the "
                f"tolerance {number(max(limit(y, rtol) for part in parts for y in part.outputs))}, the worst first:",
                *table(("element", "action", "error"), rows[:8]),
                *more,
                f"Hint: {hint(group, parts, passed)}.",
            ]
        )
    )


def _measure(fn, group, x, law, elements, input_layout, output_layout, batch_size):
    input_layout, output_layout = (parsed(layout, groups.get(group)) for layout in (input_layout, output_layout))
    claimed = groups.get(group)
    moves_points = claimed.is_lie and not claimed.orthogonal
    layers = walk(fn) if moves_points and isinstance(fn, keras.Layer) else ()
    group = points.sample(claimed, list(layers)) if moves_points else finite(claimed)
    arrays = checked_inputs(x)
    check_law(law)
    given = input_layouts(arrays, group, input_layout)
    answered = functools.partial(output_layouts, output_layout, group, law, ())
    call, batch_size = OnArrays(fn, x), positive(batch_size, "batch_size")
    if elements is None:
        group = tested_on(claimed, group, 0, call, arrays, given, answered, batch_size)
    counting = None if group.orthogonal else points.there
    return group, measure(
        call, group, arrays, _indices(group, elements), given, answered, batch_size, counting=counting
    )


def checked_inputs(x):
    """The arrays in a structure, checked to hold the same number of samples."""
    arrays = [as_array(a) for a in keras.tree.flatten(x)]
    if not arrays or any(a.ndim < 1 for a in arrays) or len({len(a) for a in arrays}) > 1 or not len(arrays[0]):
        raise ValueError(
            "The inputs must be arrays with the same number of samples on axis 0, at least one. "
            f"Received: shapes {[a.shape for a in arrays]}"
        )
    return arrays


def input_layouts(arrays, group, layout):
    """A layout per input, at least one of which moves."""
    if not group.orthogonal or points.are_points(arrays, group.dimension):
        layout = points.input_layouts(arrays, group, layout)
    layouts = resolve(layout, [x.shape for x in arrays], group, "input_layout")
    if not any(found.moves for found in layouts):
        raise ValueError(
            "At least one input must be transformed by the group, else there is no law to test. Received: "
            f'inputs of shapes {[x.shape for x in arrays]}, all "invariant"; name their layouts with '
            'input_layout=, for instance "image" or "folded"'
        )
    return layouts


def output_layouts(layout, group, law, subgroups, shapes):
    """A list of one layout per output."""
    if law == "invariance":
        return [[Invariant()]] * len(shapes)
    return [[found] for found in resolve(layout, shapes, group, "output_layout", subgroups)]


def check_law(law):
    if law not in LAWS:
        raise ValueError(f"`law` must be one of {LAWS}. Received: {law!r}")


def _indices(group, elements):
    if elements is None:
        return list(range(group.order))
    if isinstance(elements, str) and elements == "exact":
        return list(group.grid_elements)
    chosen = [elements] if isinstance(elements, (str, int, np.integer)) else list(elements)
    names = {name: i for i, name in enumerate(group.element_names)}
    unknown = [e for e in chosen if e not in names and not (isinstance(e, (int, np.integer)) and 0 <= e < group.order)]
    if unknown or not chosen:
        raise ValueError(
            f'`elements` must be indices below {group.order}, names {group.element_names} or "exact". '
            f"Received: {elements!r}"
        )
    return [names.get(e, e) for e in chosen]
