"""Which sizes of the input a whole network is exact on, where the size at hand is none of them."""

import functools

from keras_equivariant.compiler.grammar.errors import Problem, SpecError
from keras_equivariant.compiler.grammar.spec import load_spec
from keras_equivariant.compiler.linter.bounds import flat

FARTHEST = 16  # pixels; a network that halves its features four times repeats after as many
LAYERS = 2_400  # walked at most for all sizes together: a large network is tried on fewer


def advice(spec, problems, walk):
    """A `Problem` that names the nearest good input sizes, smaller and larger, or that of the spec where none is near;
    None where there is none, the spec has no parameter `size` that is all there is to the sizes of its input, or an
    error is the same on the sizes next to it and on that of the spec.

    Args:
        spec: the `Spec`, which knows where it was loaded from.
        problems: its own.
        walk: function of a `Spec` that gives its problems.
    """
    size, sizes = spec.params.get("size"), spec.input_shape[:-1]
    if spec.origin is None or not sizes or not isinstance(size, int) or set(sizes) != {size}:
        return None
    others = functools.cache(lambda other: problems_on(spec, other, walk))
    usual = load_spec(spec.origin.source).params.get("size")
    usual = usual if isinstance(usual, int) and usual != size else None
    tried = [size - 1, size + 1] + [usual] * (usual is not None)
    if any(p.severity == "error" and all(p in others(n) for n in tried) for p in problems):
        return None  # what a size has a part in names the size
    reach = min(FARTHEST, LAYERS // (2 * len(list(flat(spec.layers)))))
    found = [next((s for s in range(size + d, size + d * (reach + 1), d) if not others(s)), None) for d in (-1, 1)]
    found = [str(s) for s in found if s is not None]
    if not found and usual is not None and not others(usual):
        found = [str(usual)]
    if not found:
        return None
    return Problem(
        spec.origin.where.key("input"),
        f"the whole network keeps its symmetry on inputs of size {' and '.join(found)}. Received: size {size}; "
        f"use size={found[-1]} (on the command line --set size={found[-1]}, and --size "
        f"{' '.join([found[-1]] * len(sizes))} "
        "where it is trained)",
        "error",
    )


def problems_on(spec, size, walk):
    """The problems of the network of the spec on this size; at least one where there is no such size."""
    if size < 1:
        return [None]
    try:
        return walk(load_spec(spec.origin.source, **{**spec.origin.params, "size": size}))
    except SpecError as error:
        return error.problems
