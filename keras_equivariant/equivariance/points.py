"""Certification of networks on points: which elements, which inputs move, and how vectors rotate."""

import numpy as np

from keras_equivariant import groups
from keras_equivariant.graphs.reading import walk
from keras_equivariant.graphs.symmetry import field_types, input_types, layout_of, moves_points, rotates_points
from keras_equivariant.groups.layouts import Frames, Invariant, Points, Positions, Typed, Vectors
from keras_equivariant.layers.points.features import OnPoints
from keras_equivariant.layers.points.image_to_points import ImageToPoints
from keras_equivariant.layers.points.lift import LieLift
from keras_equivariant.utils.periodic import space_of

COUNT = 6  # elements of each kind


def move(layers, group):
    """Whether a network with these layers takes points that the group moves; images may become points inside it."""
    from_images = any(isinstance(layer, ImageToPoints) for layer in layers)
    if from_images or not isinstance(group, groups.Group):
        return False
    on_points = group.is_lie and (not group.orthogonal or any(map(moves_points, layers)))
    return on_points or (group.orthogonal and any(map(rotates_points, layers)))


def sample(group, layers, seed=0):
    """Elements to test: exact ones and, where points are lifted on a grid of rotations, others too."""
    if group.orthogonal and any(map(rotates_points, layers)):
        return groups.MotionSample(group, 2 * COUNT, seed)
    lifts = [layer for layer in layers if isinstance(layer, LieLift) and layer.group is group]
    rotations = None
    if group.stabilizer is not None and lifts and lifts[0].sampling != "principal":
        rotations = lifts[0].samples if lifts[0].sampling != "uniform" else 1
    return groups.LieSample(group, COUNT, rotations, seed)


def described(sample):
    """What a network is tested on, in words."""
    return f"{sample.order} of its elements" + (", with translations" if getattr(sample, "translates", False) else "")


def are_points(arrays, d):
    """Whether arrays are positions (B, N, d), values (B, N, C) and a mask (B, N), by their shapes."""
    return [x.ndim for x in arrays] == [3, 3, 2] and space_of(arrays[0].shape[2]) == d


def input_layouts(arrays, group, layout):
    """The layouts of (positions, values, mask): the positions move."""
    if not isinstance(layout, str) or layout != "auto":
        return layout
    d = group.dimension
    if not are_points(arrays, d):
        raise ValueError(
            f"A network on points takes positions (B, N, {d}), values (B, N, C) and a mask (B, N). Received: shapes "
            f"{[x.shape for x in arrays]}; name the layouts with input_layout="
        )
    return [Positions(), Invariant(), Invariant()]


def own_inputs(network, group):
    """The layouts of a functional model's (positions, values, mask) where a layer takes the values for a field type;
    "auto" where none does."""
    taken = input_types(network)
    if (
        len(taken) != 3
        or taken[1] is None
        or taken[1].scalar
        or space_of(network.inputs[0].shape[-1]) != group.dimension
    ):
        return "auto"
    return [Positions(), Frames(Typed(taken[1])), Invariant()]


def in_cells(inputs, model, generator):
    """Inputs whose positions, where the model takes them with lattice vectors, have those of a cell about as wide as
    the largest radius of its layers."""
    layers = [layer for layer in walk(model) if isinstance(layer, OnPoints) and layer.takes_cells]
    width = model.inputs[0].shape[-1] if len(model.inputs) == 3 else None
    d = space_of(width)
    if not layers or d == width:
        return inputs
    side = 1.3 * max([getattr(layer, "radius", 1.0) for layer in layers])
    positions, *others = inputs
    cells = side * (np.eye(d) + 0.15 * generator.standard_normal((len(positions), 1, d, d)))
    positions[..., d:] = cells.reshape(len(positions), 1, d * d)
    return [positions, *others]


def output_layouts(network, d):
    """For each output the layouts that it may have in a space of d axes, the likeliest first: positions, vectors and
    fields move, of all points or of each; nothing else. More than one where an operation stands before it of which
    nothing is known."""
    types = field_types(network)
    return [_of_output(tensor, types, d) for tensor in network.outputs]


def _of_output(tensor, types, d):
    known, history = layout_of(tensor), tensor._keras_history
    if isinstance(known, Points) and known.group is None and isinstance(history.operation, OnPoints):
        own = Invariant() if known.rotating is None else Frames(Typed(known.rotating))
        return [(Positions(), own, Invariant())[history.tensor_index]]
    if isinstance(known, Typed):
        return [Frames(known) if len(tensor.shape) == 3 else known]
    if getattr(history.operation, "vectors", False):
        return [Vectors()]
    if known is not None and not isinstance(known, Points):
        return [Invariant()]
    moving = _moving(tensor.shape, types, d)
    own = Frames(Typed(known.rotating)) if isinstance(known, Points) and known.rotating is not None else None
    return [own, *moving] if own in moving else [Invariant(), *moving]


def _moving(shape, types, d):
    """The layouts in which features of this shape move behind layers with these field types."""
    if len(shape) not in (2, 3):
        return []
    of_each = [Typed(field_type) for field_type in types if field_type.size == shape[-1]]
    of_each += [Vectors()] * (shape[-1] == d)
    return [*(of_each if len(shape) == 2 else map(Frames, of_each)), *[Positions()] * (shape[-1] == d)]


def there(batch, y, layout):
    """Outputs that are positions with those of absent points zero: where these are means nothing."""
    mask = batch[2][: len(y)] if isinstance(layout, Positions) and len(batch) == 3 else None
    if mask is None or y.ndim != 3 or mask.shape != y.shape[:2]:
        return y
    return np.where(mask[..., None], y, 0)
