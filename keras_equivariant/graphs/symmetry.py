"""What a model says of its symmetry: its group, the field types of its layers and of its inputs and outputs."""

import keras

from keras_equivariant import groups
from keras_equivariant.graphs.calls import call_of, calls
from keras_equivariant.graphs.reading import walk
from keras_equivariant.groups import FieldType
from keras_equivariant.groups.intersection import intersection
from keras_equivariant.groups.layouts import Broken
from keras_equivariant.layers.core.source_layout import source_layout
from keras_equivariant.layers.points.features import OnPoints
from keras_equivariant.layers.points.image_to_points import ImageToPoints
from keras_equivariant.stock.traits import LINEAR_OPERATIONS, traits

_SUMS = (*LINEAR_OPERATIONS, "Mean", "Reshape", "Flatten")


def group_of(model, of_grid=False):
    """The group that the layers of a model name; of several the elements that they share.

    Images that become points are moved by quarter turns, whatever the group of the points.

    Args:
        model: a Keras model or layer; a function has no group.
        of_grid: for a model whose layers have none that moves anything, the group of its pixel grid instead of an
            error: C4; of volumes O, or D2h where their sizes differ.

    Raises:
        ValueError: where the layers name none, or several that share only the identity.
    """
    layers = list(walk(model)) if isinstance(model, keras.Layer) else []
    on_points = {layer.group for layer in layers if moves_points(layer)}
    from_images = any(isinstance(layer, ImageToPoints) for layer in layers)
    if on_points or (from_images and any(map(rotates_points, layers))):
        return _of_points(on_points, layers)
    found = {layer.group for layer in layers if isinstance(getattr(layer, "group", None), groups.Group)}
    found |= {layer.out_type.group for layer in layers if isinstance(getattr(layer, "out_type", None), FieldType)}
    if of_grid and all(group.order == 1 for group in found):
        return _grid_group(model)
    one_space = len({group.dimension for group in found}) == 1
    shared = intersection(*found) if one_space else None
    if shared is None or (shared.order == 1 and len(found) > 1 and shared not in found):
        names = ", ".join(sorted(group.name for group in found))
        raise ValueError(
            "The group must follow from the model's layers, else be given as in certify(model, "
            f'group="D4"). Received: a model with {f"layers of the groups {names}" if names else _NONE}'
        )
    return shared


def kept_by(group, sizes):
    """The part of a group that images of these sizes keep: of squares all, of others no quarter turns."""
    if groups.grid.keeps_shape(group.finite, sizes):
        return group
    return intersection(group, "D2" if len(sizes) == 2 else "D2h" if sizes[0] != sizes[1] else "D4h")


def moves_points(layer):
    """Whether a layer moves points by its group; the rotations move grids as well, so that the layer tells."""
    group = getattr(layer, "group", None)
    on_points = isinstance(layer, OnPoints) and not layer.takes_types
    return isinstance(group, groups.Group) and group.is_lie and (on_points or not group.orthogonal)


def rotates_points(layer):
    """Whether a layer takes points with values of a field type: its group rotates both, and they may be translated."""
    return isinstance(layer, OnPoints) and layer.takes_types


_NONE = "no layer that has a group"


def _of_points(found, layers):
    if any(isinstance(layer, ImageToPoints) for layer in layers):
        return groups.get("C4")
    if len(found) > 1:
        names = sorted(group.name for group in found)
        raise ValueError(f"The layers on points must have one group. Received: {', '.join(names)}; name one as group=")
    return found.pop()


def _grid_group(model):
    sizes = max((tuple(tensor.shape[1:-1]) for tensor in model.inputs), key=len)
    return groups.get("C4" if len(sizes) != 3 else "O" if len(set(sizes)) == 1 else "D2h")


def field_types(model):
    """The field types of the model's layers."""
    layers = walk(model) if isinstance(model, keras.Layer) else ()
    found = [getattr(layer, name, None) for layer in layers for name in ("in_type", "out_type")]
    return tuple(dict.fromkeys(field_type for field_type in found if isinstance(field_type, FieldType)))


def pooled_subgroups(model):
    """Names of the subgroups that the model pools over, for layouts on cosets."""
    layers = walk(model) if isinstance(model, keras.Layer) else ()
    names = (getattr(layer, "subgroup", None) for layer in layers)
    return tuple(dict.fromkeys(getattr(name, "name", name) for name in names if name is not None))


def input_types(graph):
    """The field type of each of a functional model's inputs that a layer takes for one; None for the others."""
    takers = {id(tensor): call.operation for call in reversed(calls(graph)) for tensor in call.inputs}
    found = [getattr(takers.get(id(tensor)), "in_type", None) for tensor in graph.inputs]
    return [field_type if isinstance(field_type, FieldType) else None for field_type in found]


def framed_inputs(graph):
    """For each input whether it is a sequence of frames, (B, T, ...), which the model looks at one by one."""
    takers = {id(tensor): call for call in reversed(calls(graph)) for tensor in call.inputs}
    found = [takers.get(id(x)) for x in graph.inputs]
    return [call is not None and _joins(call, x, call.outputs[0]) for x, call in zip(graph.inputs, found, strict=True)]


def framed_outputs(graph):
    """For each output that is a sequence of frames, (B, T, ...), which the model made one by one, all frames as a batch
    of their own, (B T, ...); None for the others."""
    found = [(tensor, call_of(tensor)) for tensor in graph.outputs]
    return [call.inputs[0] if call is not None and _joins(call, x, call.inputs[0]) else None for x, call in found]


def _joins(call, frames, batch):
    """Whether a call gives (B, T, ...) another shape, (B T, ...), or back; nothing else changes the batch."""
    if type(call.operation).__name__ != "Reshape" or len(call.inputs) != 1:
        return False
    frames, batch = tuple(frames.shape), tuple(batch.shape)
    return len(frames) == len(batch) + 1 > 2 and frames[2:] == batch[1:] and frames[1] not in (None, 1)


def summed_up(tensor):
    """The tensors of which one is a mean, or a sum of a few, hence than which it may be much smaller; itself, too."""
    found, waiting = {}, [tensor]
    while waiting:
        tensor = waiting.pop()
        call = call_of(tensor)
        if id(tensor) not in found and call is not None and _is_sum(call.operation):
            waiting += call.inputs
        found[id(tensor)] = tensor
    return list(found.values())


def _is_sum(operation):
    row = traits(operation)
    return row.linear if row is not None else type(operation).__name__ in _SUMS


def output_layouts(graph):
    """The layout of each of a functional model's outputs as its layers have it; None where nothing is known."""
    return [layout_of(tensor) for tensor in graph.outputs]


def layout_of(tensor):
    """As `source_layout`, and through the border of a model inside the model; None for features that a layer broke."""
    found, call = source_layout(tensor), call_of(tensor)
    if found is None and call is not None and isinstance(call.operation, keras.Model):
        position = [id(x) for x in call.outputs].index(id(tensor))
        inner = getattr(call.operation, "outputs", None)
        return layout_of(inner[position]) if inner else None
    return None if isinstance(found, Broken) else found


def symmetry_problems(model):
    """By layer name, what a layer of this package says breaks its symmetry on the sizes it has."""
    operations = [op for layer in walk(model) for op in getattr(layer, "operations", ())] if model else []
    return {
        op.name: op.symmetry_problems(op.input.shape)
        for op in operations
        if hasattr(op, "symmetry_problems") and isinstance(op.input, keras.KerasTensor)
    }
