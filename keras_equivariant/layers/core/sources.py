"""The group of the features in a symbolic tensor, by the layers that made it."""

import keras


def source_group(tensor, dimension):
    """The group that the layers before this tensor work on, of so many axes; None where there is none, or several."""
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
    return next(iter(found.values())) if len(found) == 1 else None
