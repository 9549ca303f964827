"""The layout and the group of the features in a symbolic tensor, by the layers that made it."""

import keras

from keras_equivariant.groups.layouts import BreaksSymmetry, Broken, Frames, Points, Typed
from keras_equivariant.stock import laws
from keras_equivariant.stock.copies import is_stock
from keras_equivariant.stock.operations import UnknownLaw


def source_layout(tensor, seen=None, group=None, images=None):
    """How the features in a symbolic tensor transform.

    Args:
        tensor: a KerasTensor.
        seen: layouts that were found, by the tensor's id.
        group: of which the symmetry is to be kept, where it is smaller than those of the layers.
        images: the layout of inputs with as many axes as this tensor, where one is known; else None.

    Returns:
        A Layout, `Broken` with the reason where a layer broke it; None where nothing is known.
    """
    seen = {} if seen is None else seen
    waiting, opened = [tensor], set()
    while waiting:  # a list instead of recursion: networks are deeper than Python's stack
        one = waiting.pop()
        if id(one) in seen:
            continue
        before = [] if id(one) in opened else [x for x in _sources(one) if id(x) not in seen]
        opened.add(id(one))
        if before:
            waiting += [one, *before]
        else:
            seen[id(one)] = _found(one, seen, group, images if len(one.shape) == len(tensor.shape) else None)
    return seen[id(tensor)]


def _sources(tensor):
    """The tensors that a layer or operation made this one of."""
    history = getattr(tensor, "_keras_history", None)
    operation = getattr(history, "operation", None)
    if operation is None or isinstance(operation, keras.layers.InputLayer | keras.Model):
        return []
    inputs = operation._inbound_nodes[history.node_index].arguments.keras_tensors
    return [] if hasattr(operation, "output_layout") and _tells(operation, inputs[0].shape) else inputs


def _tells(operation, shape):
    """Whether a layer of ours tells by itself how features of this shape transform: what was before does not matter."""
    return len(shape) > 3 and operation.expected_layout(shape) is not None  # on fewer axes they may be points


def _found(tensor, seen, group, images):
    history = getattr(tensor, "_keras_history", None)
    operation = getattr(history, "operation", None)
    if isinstance(operation, keras.layers.InputLayer):
        return images
    if operation is None or isinstance(operation, keras.Model):
        return None
    arguments = operation._inbound_nodes[history.node_index].arguments
    inputs = list(arguments.keras_tensors)
    try:
        if hasattr(operation, "output_layout"):
            return _of_ours(operation, inputs, seen)
        return _of_stock(operation, inputs, history.tensor_index, arguments, seen, group)
    except UnknownLaw as error:
        known = source_layout(inputs[0], seen)
        known = known.layout if isinstance(known, Frames) else known
        return _broken(operation, error) if isinstance(known, Typed) else None
    except BreaksSymmetry as error:
        lost = isinstance(error.layout, Broken) or not hasattr(operation, "check_symmetry")
        return _broken(operation, error) if lost else error.layout  # one of ours has said so, and is built all the same


def _of_ours(operation, inputs, seen):
    shapes = [tensor.shape for tensor in inputs]
    layout = operation.expected_layout(shapes[0])
    if not isinstance(layout, Points) and not _tells(operation, shapes[0]):
        source = source_layout(inputs[0], seen)
        layout = source if layout is None or isinstance(source, Points) else layout
    if layout is None or isinstance(layout, Broken):
        return layout
    return operation.output_layout([layout] * len(inputs), shapes)


def _of_stock(operation, inputs, index, arguments, seen, group):
    layouts = [source_layout(tensor, seen) for tensor in inputs]
    known = [layout for layout in layouts if layout is not None]
    joins = type(operation).__name__ == "Concatenate"
    if not known or (joins and len(known) < len(layouts)):
        return next((layout for layout in known if isinstance(layout, Broken)), None)
    if not is_stock(operation):
        raise UnknownLaw(operation, known[0])
    layouts = [layout or known[0] for layout in layouts]
    shapes = [tensor.shape for tensor in inputs]
    found = laws.output_layout(operation, layouts, shapes, group, (arguments.args, arguments.kwargs))
    return found[index] if isinstance(found, tuple) else found


def _broken(operation, error):
    name = type(operation).__name__
    return Broken(f'what the layer "{operation.name}" ({name}) made of them: {error}')


def source_groups(tensor, dimension):
    """The groups that the nearest layers before this tensor work on, of so many axes."""
    found, seen, waiting = {}, set(), [tensor]
    while waiting:
        history = getattr(waiting.pop(), "_keras_history", None)
        operation = getattr(history, "operation", None)
        if operation is None or (id(operation), history.node_index, history.tensor_index) in seen:
            continue
        seen.add((id(operation), history.node_index, history.tensor_index))
        group = getattr(getattr(operation, "out_type", None) or operation, "group", None)
        if getattr(group, "dimension", None) == dimension:
            found[group.name] = group
        elif isinstance(operation, keras.Model) and getattr(operation, "outputs", None):
            waiting.append(operation.outputs[history.tensor_index])
        else:
            waiting += keras.tree.flatten(operation._inbound_nodes[history.node_index].arguments.keras_tensors)
    return list(found.values())
