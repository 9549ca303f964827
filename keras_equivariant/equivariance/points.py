"""Certification of networks on points: which elements, which inputs move, and how vectors turn."""

from keras_equivariant import groups
from keras_equivariant.graphs.symmetry import moves_points
from keras_equivariant.groups.layouts import Invariant, Positions, Vectors
from keras_equivariant.layers.points.image_to_points import ImageToPoints
from keras_equivariant.layers.points.lift import LieLift

COUNT = 6  # elements of each kind


def move(layers, group):
    """Whether a network with these layers takes points that the group moves; images may become points inside it."""
    from_images = any(isinstance(layer, ImageToPoints) for layer in layers)
    return group.is_lie and not from_images and (not group.orthogonal or any(map(moves_points, layers)))


def sample(group, layers, seed=0):
    """Elements to test: exact ones and, where points are lifted on a grid of rotations, others too."""
    lifts = [layer for layer in layers if isinstance(layer, LieLift) and layer.group is group]
    turns = None
    if group.stabilizer is not None and not (lifts and lifts[0].sampling == "principal"):
        turns = lifts[0].samples if lifts and lifts[0].sampling != "uniform" else 1
    return groups.LieSample(group, COUNT, turns, seed)


def input_layouts(arrays, group, layout):
    """The layouts of (positions, values, mask): the positions move."""
    if not isinstance(layout, str) or layout != "auto":
        return layout
    d = group.dimension
    if len(arrays) != 3 or arrays[0].ndim != 3 or arrays[0].shape[2] != d or arrays[2].ndim != 2:
        raise ValueError(
            f"A network on points takes positions (B, N, {d}), values (B, N, C) and a mask (B, N). Received: shapes "
            f"{[x.shape for x in arrays]}; name the layouts with input_layout="
        )
    return [Positions(), Invariant(), Invariant()]


def output_layouts(operations):
    """`Vectors` for outputs that turn, `Invariant` for the others."""
    return [Vectors() if getattr(operation, "vectors", False) else Invariant() for operation in operations]
