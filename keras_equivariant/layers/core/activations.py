"""Which activations a layer may have: such as give as many numbers as they take; not a layer of its own."""

import inspect

import keras

from keras_equivariant.stock import laws, traits

EACH = ("function", "identity")  # kinds of layers that are functions of each number


def activation_of(activation, alone=False):
    """The function of an activation, as `keras.activations.get` finds it.

    Args:
        activation: name, function or Keras layer; None for none.
        alone: whether the layer applies it to numbers of its own, such as norms, and not to what leaves it: then it
            must be a function of each.

    Raises:
        ValueError: one that gives another number of channels, or that takes more than the features.
    """
    found = keras.activations.get(activation)
    inner = getattr(found, "activation", found)  # of keras.layers.Activation
    name = traits.activation_name(inner)
    if name in traits.HALVING:
        raise ValueError(
            f'An activation must keep the number of channels. Received: activation="{name}", which multiplies one half '
            "of them by the other; use GatedActivation, or keras.layers.Multiply of two layers"
        )
    if more := more_arguments(inner):
        raise ValueError(
            f"An activation is called with the features alone. Received: activation={name or inner!r}, which needs "
            f"{' and '.join(f'`{one}`' for one in more)} as well; use a function of one argument that gives them"
        )
    row = traits.traits(found) if isinstance(found, keras.Layer) else None
    if alone and row is not None and row.kind not in EACH:
        raise ValueError(
            "An activation of norms, gates, samples or points must be a function of each number. Received: "
            f'activation={type(found).__name__}; use one by its name, such as "relu"'
        )
    return found


def activated(activation, x):
    """An activation of features (..., C), in two axes where there are more than TensorFlow's softmax takes."""
    if len(x.shape) <= traits.SOFTMAX_AXES or not traits.needs_few_axes(activation):
        return activation(x)
    shape = keras.ops.shape(x) if None in x.shape[1:] else (-1, *x.shape[1:])
    return keras.ops.reshape(activation(keras.ops.reshape(x, (-1, x.shape[-1]))), shape)


def more_arguments(function):
    """What an activation function needs beside the features: names of its arguments."""
    if isinstance(function, keras.Operation):
        return []
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:  # of a function without a signature
        return []
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.KEYWORD_ONLY)
    return [p.name for p in parameters[1:] if p.kind in named and p.default is inspect.Parameter.empty]


def check_activated(activation, layout, shape):
    """BreaksSymmetry where an activation that is a Keras layer is known not to commute with what leaves a layer.

    Args:
        activation: the layer or function; functions act on the channels of a pixel.
        layout, shape: of what leaves the layer.
    """
    row = traits.traits(activation) if isinstance(activation, keras.Layer) else None
    if row is not None and row.kind not in EACH:
        laws.output_layout(activation, [layout], [tuple(shape)])
