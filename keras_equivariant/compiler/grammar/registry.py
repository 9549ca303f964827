"""The layers a spec may name: ours, and a list of stock Keras layers. Never an import path, never code.

A public layer of `keras_equivariant.layers` is in here by being in its `__all__`. Where ours and Keras's have one name
(BatchNormalization, MaxPooling2D, …) the spec gets ours.
"""

import functools
import inspect
import re

import keras

from keras_equivariant import layers
from keras_equivariant.layers.core.base import EquivariantLayer
from keras_equivariant.stock import traits

MERGE = traits.spec_names(merging=True)
COMMON = ("name", "dtype", "trainable")
HIDDEN = ("lora_rank", "lora_alpha", "quantization_config", "in_type", *COMMON)  # a type flows along by itself
REQUIRED = inspect.Parameter.empty
PARTS = {
    "constraints": "Constraint",
    "initializers": "Initializer",
    "optimizers": "Optimizer",
    "regularizers": "Regularizer",
}
NOT_PARTS = ("LossScaleOptimizer", "MultiOptimizer", *PARTS.values())  # base classes, wrappers of other optimizers


_registered = {}


def register_layer(cls=None, *, package=None):
    """Makes a layer of your own known to specs by the name of its class, and to saved models; also as a decorator.

    The layer is then written in a spec as those of the package are, linted, certified, folded and exported by its own
    methods. A name registered again takes the place of the former one.

    Args:
        cls: a subclass of `keras_equivariant.EquivariantLayer`.
        package: str, the package in the names under which saved models find the class
            (`keras.saving.register_keras_serializable`), if it is not registered there yet. Default: the first part of
            the name of its module.

    Returns:
        The class.

    Raises:
        TypeError: it is no such class.
        ValueError: a layer of the package has this name.

    Example:
        >>> import keras
        >>> import keras_equivariant as ke
        >>> @ke.register_layer(package="example")
        ... class Doubled(ke.EquivariantLayer):
        ...     def call(self, inputs):
        ...         return 2 * inputs
        ...     def compute_output_shape(self, input_shape):
        ...         return input_shape
        ...     def fold(self, input_shape):
        ...         return [(keras.layers.Rescaling(2.0), [])]
        >>> layers = [{"LiftingConv2D": {"filters": 2, "kernel_size": 3, "group": "C4"}}, "Doubled"]
        >>> ke.build_from_spec({"spec": 1, "name": "net", "input": {"shape": [5, 5, 1]}, "layers": layers}).output_shape
        (None, 3, 3, 4, 2)
    """
    if cls is None:
        return functools.partial(register_layer, package=package)
    if not (isinstance(cls, type) and issubclass(cls, EquivariantLayer)):
        raise TypeError(f"`cls` must be a subclass of keras_equivariant.EquivariantLayer. Received: {cls!r}")
    name = cls.__name__
    if name in layer_classes() and name not in _registered:
        raise ValueError(f"The name of a layer must differ from those of the package. Received: {name!r}")
    if keras.saving.get_registered_name(cls) == name:  # not registered yet
        keras.saving.register_keras_serializable(package or cls.__module__.split(".")[0])(cls)
    _registered[name] = cls
    layer_classes.cache_clear()
    arguments.cache_clear()
    return cls


@functools.cache
def layer_classes():
    """Names to classes, sorted by name."""
    classes = {name: getattr(keras.layers, name) for name in traits.spec_names()}
    for name in layers.__all__:
        found = getattr(layers, name)
        if isinstance(found, type) and issubclass(found, keras.layers.Layer):
            classes[name] = found
    classes |= _registered
    return dict(sorted(classes.items()))


@functools.cache
def arguments(name):
    """The constructor arguments of a layer: a dict of names to defaults (`inspect.Parameter.empty` where required).

    Read off the constructor of the class and, for what it passes on by `**kwargs`, off those of our base classes.
    """
    found, handed_on = {}, False
    for base in layer_classes()[name].__mro__:
        stock = base.__module__.split(".")[0] == "keras"
        if base is keras.layers.Layer:
            break
        if "__init__" in vars(base):
            own = constructor(base)
            if handed_on:  # by `*args`: the user sets all of them, in this order
                found = {**own, **found}
            else:  # a base's required arguments are set by the class
                found |= {k: v for k, v in own.items() if k not in found and (not found or v is not REQUIRED)}
            kinds = {p.kind for p in inspect.signature(base.__init__).parameters.values()}
            handed_on = inspect.Parameter.VAR_POSITIONAL in kinds
        if stock and found:
            break
    return {**{k: v for k, v in found.items() if k not in HIDDEN}, "name": None, "dtype": None, "trainable": True}


def constructor(cls):
    """The named arguments of a class's own constructor: a dict of names to defaults."""
    parameters = inspect.signature(cls.__init__).parameters.values()
    named = (p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
    return {p.name: p.default for p in named if p.name != "self"}


def first_argument(name):
    """The argument that a scalar stands for in `Name: scalar`, or None."""
    return next((argument for argument in arguments(name) if argument not in COMMON), None)


def has_strict(name):
    """Whether the layer checks its own symmetry; for the others `strict` is the compiler's."""
    return "strict" in arguments(name)


def layer_arguments(name):
    """`arguments(name)`, and `strict` for the stock layers as well."""
    return {**arguments(name), "strict": arguments(name).get("strict", True)}


@functools.cache
def parts(module):
    """The classes of `keras.initializers`, `regularizers`, `constraints` or `optimizers` that a spec may name."""
    base = getattr(getattr(keras, module), PARTS[module])
    return {
        name: value
        for name, value in sorted(vars(getattr(keras, module)).items())
        if isinstance(value, type) and issubclass(value, base) and name == value.__name__ and name not in NOT_PARTS
    }


@functools.cache
def part_words(module):
    """Both spellings of each part that needs no arguments: `HeNormal` and `he_normal`, to its class."""
    words = {}
    for name, cls in parts(module).items():
        if REQUIRED not in constructor(cls).values():
            words[name] = words[re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()] = cls
    return words


def snake_case(name):
    """`GroupConv2D` as `group_conv2d`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", name).lower()


@functools.cache
def activations():
    """Names of Keras's activation functions."""
    helpers = ("serialize", "deserialize", "get")
    return tuple(name for name in sorted(vars(keras.activations)) if name[0] != "_" and name not in helpers)
