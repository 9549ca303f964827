"""Which sizes of the input a whole network is exact on, where the size at hand is none of them."""

from keras_equivariant.compiler.grammar.errors import Problem, SpecError
from keras_equivariant.compiler.grammar.spec import load_spec
from keras_equivariant.compiler.linter.bounds import flat

FARTHEST = 16  # pixels; a network that halves its features four times repeats after as many
LAYERS = 2_400  # walked at most for all sizes together: a large network is tried on fewer


def advice(spec, walk):
    """A `Problem` that names the nearest good input sizes, smaller and larger; None where none is near, or the spec has
    no parameter `size` that is all there is to the sizes of its input.

    Args:
        spec: the `Spec`, which knows where it was loaded from.
        walk: function of a `Spec` that gives its problems.
    """
    size, sizes = spec.params.get("size"), spec.input_shape[:-1]
    if spec.origin is None or not sizes or not isinstance(size, int) or set(sizes) != {size}:
        return None
    reach = min(FARTHEST, LAYERS // (2 * len(list(flat(spec.layers)))))
    found = [
        next((s for s in range(size + d, size + d * (reach + 1), d) if good(spec, s, walk)), None) for d in (-1, 1)
    ]
    found = [str(s) for s in found if s is not None]
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


def good(spec, size, walk):
    """Whether the network of the spec has no problem on this size."""
    if size < 1:
        return False
    try:
        return not walk(load_spec(spec.origin.source, **{**spec.origin.params, "size": size}))
    except SpecError:
        return False
