"""How large a layer would be, counted before it exists."""

import math

from keras_equivariant import groups
from keras_equivariant.compiler.grammar import registry
from keras_equivariant.compiler.grammar.limits import (
    MAX_BASIS,
    MAX_LAYER_WEIGHTS,
    MAX_ORTHOGONAL,
    MAX_PARAMETERS,
    MAX_POINTS,
    MAX_TOTAL,
    MAX_WEIGHTS,
)
from keras_equivariant.compiler.grammar.network import Branches
from keras_equivariant.groups.finite import MAX_ORDER
from keras_equivariant.stock.traits import has, traits


def check_kernel(entry):
    """SpecError where the basis of a layer's kernels would be too large to compute."""
    window, group = entry.arguments.get("kernel_size"), entry.arguments.get("group")
    if window is None or registry.is_stock(registry.layer_classes()[entry.layer]):
        return
    pixels = math.prod(window) if isinstance(window, list) else window ** _rank(entry.layer)
    order = 1
    if group is not None:
        found = groups.get(group)
        # Kernels of continuous groups of space follow from a formula, not from a mean over elements.
        order = min(found.order if found.dimension == 2 else len(found.matrices), MAX_ORDER)
    if order * pixels**2 > MAX_BASIS:
        raise entry.where.error(f"kernel_size={window} is too large" + (f' for the group "{group}"' if group else ""))


def _rank(name):
    """Axes of space that a layer of this name works on."""
    cls = registry.layer_classes()[name]
    row = traits(cls)
    return row.rank if row else getattr(cls, "rank", None) or 2


def count_parameters(entry, layer, input_shape, output_shape):
    """An upper bound of the numbers in a layer's expanded kernel.

    Raises:
        SpecError: more than a layer may have.
    """
    channels = input_shape[-1] or 1
    window = getattr(layer, "kernel_size", None)
    if window is not None:
        above = 1 + len(window)  # where the axes between space and channels begin
        fibers = math.prod(input_shape[above:-1]) * math.prod(output_shape[above:-1])
        count = math.prod(window) * channels * (output_shape[-1] or 1) * fibers
        if hasattr(layer, "depth_multiplier") and not hasattr(layer, "filters"):  # depthwise: each channel by itself
            count = math.prod(window) * (output_shape[-1] or 1) * math.prod(output_shape[above:-1])
    elif hasattr(layer, "expanded_size"):
        count = layer.expanded_size(channels)
    elif hasattr(layer, "units"):
        count = channels * layer.units
    elif has(layer, "slopes") or getattr(layer, "axis", -1) != -1:
        count = math.prod(size or 1 for size in input_shape[1:])
    else:
        count = channels
    if count > MAX_PARAMETERS:
        raise entry.where.error(f"a layer must have at most {MAX_PARAMETERS:,} parameters. Received: {count:,}")
    return count


def check_orthogonal(entry, layer, shape, count):
    """SpecError where the initial values of a layer's kernel would take too long to make orthogonal."""
    made = [name for name, value in entry.arguments.items() if _is_orthogonal(value)]
    columns = shape[-1] or 1
    rows = -(-count // columns)
    if made and rows * columns * min(rows, columns) > MAX_ORTHOGONAL:
        raise entry.where.error(
            f"`{made[0]}` must make at most {MAX_ORTHOGONAL:.0e} products to be orthogonal: rows times columns times "
            f"the smaller of them. Received: {rows:,} rows and {columns:,} columns; use he_normal"
        )


def _is_orthogonal(value):
    name = next(iter(value), None) if isinstance(value, dict) else value
    return isinstance(name, str) and "orthogonal" in name.lower()


def check_points(entry, shapes):
    """SpecError where an example has more points than layers on points may hold: of an image its pixels."""
    known = [math.prod(size or 1 for size in shape[1:-1]) for shape in shapes]
    if max(known, default=0) > MAX_POINTS:
        raise entry.where.error(f"an example must have at most {MAX_POINTS:,} points. Received: {max(known):,}")


def held(entry, layer, count):
    """About how many numbers a layer holds whose expanded kernel has `count`: those of one element of its group.

    Raises:
        SpecError: more than a layer may hold.
    """
    group = getattr(layer, "group", None)
    weights = count // group.order if isinstance(group, groups.Group) and math.isfinite(group.order) else count
    if weights > MAX_LAYER_WEIGHTS:
        raise entry.where.error(f"a layer must hold at most {MAX_LAYER_WEIGHTS:,} weights. Received: {weights:,}")
    return weights


def check_total(count, weights, where):
    """SpecError where all layers together would have too many parameters, expanded or as they are held."""
    if count > MAX_TOTAL:
        raise where.error(f"a network must have at most {MAX_TOTAL:,} parameters. Received: more, at this layer")
    if weights > MAX_WEIGHTS:
        raise where.error(f"a network must hold at most {MAX_WEIGHTS:,} weights. Received: more, at this layer")


def flat(entries):
    """The layers of a network in order, branches before the layer that merges them."""
    for entry in entries:
        if isinstance(entry, Branches):
            for branch in entry.branches:
                yield from flat(branch)
            yield entry.merge
        else:
            yield entry
