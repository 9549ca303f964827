"""The layers a spec may name: ours, and a list of stock Keras layers. Never an import path, never code.

A public layer of `keras_equivariant.layers` is in here by being in its `__all__`. Where ours and Keras's have one name
(BatchNormalization, MaxPooling2D, …) the spec gets ours.
"""

import functools
import inspect
import re

import keras

from keras_equivariant import layers
from keras_equivariant.compiler.grammar import stock_options
from keras_equivariant.layers.core.activations import more_arguments
from keras_equivariant.layers.core.base import EquivariantLayer
from keras_equivariant.layers.core.options import declared
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
    forget()
    return cls


def forget():
    """Read the layers and their arguments anew when they are asked for."""
    for cached in (layer_classes, parameters, layer_parameters):
        cached.cache_clear()


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
def parameters(name):
    """The constructor arguments of a layer: a dict of names to `inspect.Parameter`, with what annotations say of them.

    They are those that the signature of the constructor names; of a class that extends a stock layer also those of it.
    """
    cls = layer_classes()[name]
    found = {} if is_stock(cls) else dict(declared(cls.__init__))
    parent = next((base for base in cls.__mro__ if is_stock(base)), keras.layers.Layer)
    if parent is not keras.layers.Layer:
        found = {k: stock_options.annotated(name, p) for k, p in declared(parent.__init__).items()} | found
    return {**{k: v for k, v in found.items() if k not in HIDDEN}, **declared(_common)}


def is_stock(cls):
    """Whether a class is one of Keras's own."""
    return cls.__module__.split(".")[0] == "keras"


def _common(name: str | None = None, dtype: str | None = None, trainable: bool = True):
    """The arguments that every layer has."""


def _checked(strict: bool = True):
    """The argument that every layer of a spec has; for those that do not check their symmetry it is the compiler's."""


@functools.cache
def layer_parameters(name):
    """`parameters(name)`, and `strict` for the stock layers as well."""
    return {**parameters(name), **{k: v for k, v in declared(_checked).items() if k not in parameters(name)}}


def arguments(name):
    """The constructor arguments of a layer: a dict of names to defaults (`inspect.Parameter.empty` where required)."""
    return {argument: parameter.default for argument, parameter in parameters(name).items()}


def layer_arguments(name):
    """`arguments(name)`, and `strict` for the stock layers as well."""
    return {argument: parameter.default for argument, parameter in layer_parameters(name).items()}


def first_argument(name):
    """The argument that a scalar stands for in `Name: scalar`, or None."""
    return next((argument for argument in arguments(name) if argument not in COMMON), None)


def has_strict(name):
    """Whether the layer checks its own symmetry; for the others `strict` is the compiler's."""
    return "strict" in arguments(name)


@functools.cache
def parts(module):
    """The classes of `keras.initializers`, `regularizers`, `constraints` or `optimizers` that a spec may name."""
    base = getattr(getattr(keras, module), PARTS[module])
    return {
        name: value
        for name, value in sorted(vars(getattr(keras, module)).items())
        if isinstance(value, type) and issubclass(value, base) and name == value.__name__ and name not in NOT_PARTS
    }


def constructor(cls):
    """The arguments of an initializer, regularizer, constraint or optimizer: a dict of names to defaults."""
    return {name: parameter.default for name, parameter in declared(cls.__init__).items()}


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
    """Names of Keras's activation functions that take features alone, and give as many."""
    left_out = ("serialize", "deserialize", "get", *traits.HALVING)
    found = {n: f for n, f in sorted(vars(keras.activations).items()) if n[0] != "_" and n not in left_out}
    return tuple(name for name, function in found.items() if not more_arguments(function))
