"""Outputs of a converted model under the names that they had: losses of several outputs are given by these."""

import keras


def output_names(model, graph):
    """The names of several outputs of a model that is no dict of them; none where they are not one for each."""
    given = (
        model.output_names if isinstance(model, keras.Function) else [x._keras_history[0].name for x in graph.outputs]
    )
    apart = len(set(given)) == len(given) > 1 and isinstance(graph.output, list | tuple)
    return list(given) if apart else []


def with_output_names(model, names, new_name):
    """The model whose last layers have these names, as far as each makes one output and no input has the name.

    Args:
        model: a functional model; its layers are renamed.
        names: list of str, or an empty list for the model as it is.
        new_name: function from a name that is taken to one for the layer that has it.
    """
    made = [x._keras_history[0] for x in model.outputs]
    if len(names) != len(made) or len(set(map(id, made))) < len(made):
        return model
    if set(names) & {layer.name for layer in model.layers if isinstance(layer, keras.layers.InputLayer)}:
        return model
    for operation, name in zip(made, names, strict=True):
        if operation.name == name or isinstance(operation, keras.layers.InputLayer):
            continue
        for other in model.operations:
            if other.name == name:
                other.name = new_name(f"{name}_map")
        operation.name = name
    return keras.Model(model.input, model.output, name=model.name)
