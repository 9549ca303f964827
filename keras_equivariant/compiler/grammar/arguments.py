"""A layer's arguments in a spec: defaults, the scalar short form, unknown and missing names, types."""

from keras_equivariant.compiler.grammar import registry
from keras_equivariant.compiler.grammar.expressions import resolve
from keras_equivariant.compiler.grammar.kinds import kind
from keras_equivariant.layers.core.options import current_names
from keras_equivariant.utils.text import nearest


def layer_name(name, node):
    """The name if it is a layer's; else SpecError with the nearest one."""
    if name not in registry.layer_classes():
        raise node.error(f"unknown layer. {nearest(name, registry.layer_classes())}")
    return name


def given(name, node):
    """What a layer entry gives: a dict of argument names to Nodes, from `Name`, `Name: scalar` or `Name: {…}`."""
    if node is None or node.value is None:
        return {}
    if isinstance(node.value, dict):
        return current_names(registry.layer_classes()[name], node.value)
    first = registry.first_argument(name)
    if first is None:
        raise node.error(f"{name} takes no value. Received: {node.kind}")
    return {first: node}


def check(name, nodes, scope):
    """The checked values of given arguments.

    Args:
        name: the layer.
        nodes: dict of argument names to Nodes.
        scope: mapping of parameters to values, for the expressions.
    """
    known = registry.layer_parameters(name)
    values = {}
    for argument, node in nodes.items():
        if argument not in known:
            raise node.error(f"unknown argument. {nearest(argument, known)}")
        values[argument] = kind(known[argument].annotation).check(resolve(node, scope), node.where)
    return values


def complete(name, nodes, defaults, where, scope):
    """The checked values of all arguments, in the constructor's order.

    Args:
        name: the layer.
        nodes: dict of argument names to Nodes, as the entry gives them.
        defaults: dict of checked values, as the spec's `defaults` give them.
        where: place of the entry.
        scope: mapping of parameters to values, for the expressions.

    Raises:
        SpecError: an unknown argument, a value of the wrong type, or a required argument that is missing.
    """
    values = {**defaults, **check(name, nodes, scope)}
    known = registry.layer_arguments(name)
    for argument, default in known.items():
        if default is registry.REQUIRED and argument not in values:
            raise where.error(f'needs the argument "{argument}"')
    return {argument: values[argument] for argument in known if argument in values}


def made(name, values):
    """Checked values as the constructor takes them: initializers, regularizers and constraints are objects."""
    known = registry.layer_parameters(name)
    return {argument: kind(known[argument].annotation).make(value) for argument, value in values.items()}
