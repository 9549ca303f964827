"""Which sizes of the input a whole network is exact on, where the size at hand is none of them."""

import functools

from keras_equivariant.compiler.grammar.errors import Problem, SpecError
from keras_equivariant.compiler.grammar.spec import load_spec
from keras_equivariant.compiler.linter.bounds import flat

FARTHEST = 16  # pixels; a network that halves its features four times repeats after as many
LAYERS = 2_400  # walked at most for all sizes together: a large network is tried on fewer
USE_SIZE = "; use size"  # how a layer that a size keeps from being exact begins its remedy


def advice(spec, problems, walk):
    """A `Problem` that names the nearest good input sizes, smaller and larger, or those of the spec where none is near;
    None where there are none, the spec has no parameter `size` that is all there is to the sizes of its input, or an
    error that is none of sizes stays on those next to it and on those of the spec.

    Args:
        spec: the `Spec`, which knows where it was loaded from.
        problems: its own.
        walk: function of a `Spec` that gives its problems.
    """
    sizes = tuple(spec.input_shape[:-1])
    if spec.origin is None or not sizes or _of_each_axis(spec, len(sizes)) != sizes:
        return None
    others = functools.cache(lambda *other: problems_on(spec, other, walk))
    usual = _of_each_axis(load_spec(spec.origin.source), len(sizes))
    usual = [usual] * (usual is not None and usual != sizes)
    tried = [*(tuple(n + d for n in sizes) for d in (-1, 1)), *usual]

    def stays(problem):  # what a size has a part in names the size; behind halvings it is that of several inputs
        return USE_SIZE not in problem.message and all(problem in others(*other) for other in tried)

    if any(p.severity == "error" and stays(p) for p in problems):
        return None
    reach = min(FARTHEST, LAYERS // (2 * len(list(flat(spec.layers)))))
    found = [_nearest(sizes, d, reach, others) for d in (-1, 1)]
    found = [near for near in found if near is not None] or [other for other in usual if not others(*other)]
    if not found:
        return None
    given = _as_given(found[-1])
    written = str(given).replace(" ", "")
    return Problem(
        spec.origin.where.key("input"),
        f"the whole network keeps its symmetry on inputs of size {' and '.join(map(_said, found))}. Received: size "
        f"{_said(sizes)}; use size={given} (on the command line --set size={written}, and {_trained(spec, found[-1])} "
        "where it is trained)",
        "error",
    )


def _trained(spec, sizes):
    """What brings images to these sizes: the recipe, where it does, since it would undo what the data were brought
    to."""
    resized = any(isinstance(step, dict) and "resize" in step for step in spec.training.get("preprocess") or ())
    if resized and len(set(sizes)) == 1:
        return f"`resize: {sizes[0]}` in its recipe's `preprocess`"
    without = ", without the recipe's `resize`," if resized else ""
    return f"--size {' '.join(map(str, sizes))}{without}"


def _of_each_axis(spec, rank):
    """The parameter `size` of a spec, one an axis; None where it has none that is of sizes."""
    size = spec.params.get("size")
    if isinstance(size, int):
        return (size,) * rank
    return tuple(size) if isinstance(size, list | tuple) and len(size) == rank else None


def _nearest(sizes, direction, reach, others):
    """The nearest good sizes in one direction, one an axis, of which each is good along all axes; None where there are
    none. What is good as it is stays."""
    first = int(len(set(sizes)) == 1)  # sizes that are all alike are those that are not good
    steps = [direction * n for n in range(first, reach + 1)]
    found = [next((n + d for d in steps if not others(*[n + d] * len(sizes))), None) for n in sizes]
    return tuple(found) if None not in found and not others(*found) else None


def _as_given(sizes):
    """Sizes as the parameter `size` has them."""
    return sizes[0] if len(set(sizes)) == 1 else [*sizes]


def _said(sizes):
    return str(sizes[0]) if len(set(sizes)) == 1 else "x".join(map(str, sizes))


def problems_on(spec, sizes, walk):
    """The problems of the network of the spec on these sizes; at least one where there are no such."""
    if min(sizes) < 1:
        return [None]
    size = _as_given(sizes)
    try:
        return walk(load_spec(spec.origin.source, **{**spec.origin.params, "size": size}))
    except SpecError as error:
        return error.problems
