"""The options of the layers, each declared once: by the annotation and the default in a constructor's signature.

`help` and type checkers read the signature itself; `configuration` makes `get_config` of it, and the spec compiler its
check and the JSON Schema. An annotation is a plain type (`bool`, `int`, `float`, `str`, a `Literal`), or one of the
names below where the type alone does not say what a specification and a configuration may hold; `| None` where null is
a value.
"""

import dataclasses
import functools
import inspect
import os
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import keras

from keras_equivariant.groups import FieldType, Group


def plain(value):
    """The value as JSON has it: tuples as lists."""
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def group_name(value):
    """The name of a group, given by its name or as the object."""
    return getattr(value, "name", value)


@dataclasses.dataclass(frozen=True)
class Option:
    """What an annotation says beyond its type.

    Attributes:
        kind: the word for its values in a specification, a key of `compiler.grammar.kinds.KINDS`; None where the type
            says it.
        write: function of the layer's attribute that gives what a configuration holds.
        kept: False for an option of one single value, which configurations leave out.
    """

    kind: str | None
    write: Callable[[Any], Any] = plain
    kept: bool = True


Count = Annotated[int, Option("count")]  # 1 or more
Seed = Annotated[int, Option("seed")]
Whole = Annotated[int, Option("whole")]  # 0 or more
Counts = Annotated[int | Sequence[int], Option("counts")]  # any number of them
Size = Annotated[int | Sequence[int], Option("size")]  # one, or one for each axis of space
Integers = Annotated[int | Sequence[int], Option("integers")]  # of any sign, such as axes
Numbers = Annotated[float | Sequence[float], Option("numbers")]
Matrix = Annotated[Sequence[Sequence[float]], Option("matrix")]  # row after row
NameOrNumbers = Annotated[str | float | Sequence[float], Option("any")]
Anything = Annotated[Any, Option("any")]
FieldGroups = Annotated[int, Option("field_groups")]
FieldGroupsOrAll = Annotated[int, Option("field_groups_or_all")]
GroupLike = Annotated[str | Group, Option("group", group_name)]
SubgroupLike = Annotated[str | Group, Option("text", group_name)]
FieldsLike = Annotated[str | FieldType, Option("text", str)]
Basis = Annotated[str | os.PathLike[str], Option("text")]
Activation = Annotated[str | Callable[..., Any], Option("activation", keras.activations.serialize)]
ActivationName = Annotated[str, Option("activation")]
Initializer = Annotated[
    str | dict[str, Any] | Callable[..., Any] | keras.initializers.Initializer,
    Option("initializers", keras.initializers.serialize),
]
Regularizer = Annotated[
    str | dict[str, Any] | Callable[..., Any] | keras.regularizers.Regularizer,
    Option("regularizers", keras.regularizers.serialize),
]
Constraint = Annotated[
    str | dict[str, Any] | Callable[..., Any] | keras.constraints.Constraint,
    Option("constraints", keras.constraints.serialize),
]
DataFormat = Annotated[Literal["channels_last"], Option(None, kept=False)]
Padding = Literal["valid", "same"]
Unreached = Literal["error", "zeros"]
PaddingMode = Literal["zeros", "circular", "reflect", "replicate"]


def of(annotation):
    """The Option that an annotation carries, through `| None`; the one that writes plain values where it has none."""
    for part in (annotation, *getattr(annotation, "__args__", ())):
        for mark in getattr(part, "__metadata__", ()):
            if isinstance(mark, Option):
                return mark
    return Option(None)


@functools.cache
def declared(constructor):
    """The options that a constructor names, in its order: a dict of names to `inspect.Parameter`.

    Left out are `self`, `*args` and `**kwargs`.
    """
    try:
        signature = inspect.signature(constructor, eval_str=True)
    except NameError:  # names that only type checkers import
        signature = inspect.signature(constructor)
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {n: p for n, p in signature.parameters.items() if p.kind in named and n != "self"}


def check_given(cls, args, kwargs):
    """TypeError, in the name of the layer and with its own example, where an option without a default is missing.

    Args:
        cls: the layer's class.
        args, kwargs: what its constructor is called with.
    """
    required = [p.default is inspect.Parameter.empty for p in declared(cls.__init__).values()]
    names = [name for name, needed in zip(declared(cls.__init__), required, strict=True) if needed]
    missing = [f"`{name}`" for name in names[len(args) :] if name not in kwargs]
    if missing:
        given = ", ".join([*map(repr, args), *(f"{name}={value!r}" for name, value in kwargs.items())])
        example = re.search(rf"\.{cls.__name__}(\((?:[^()]|\([^()]*\))*\))", cls.__doc__ or "")
        remedy = f"write e.g. {cls.__name__}{example[1]}" if example else "give what has no default"
        raise TypeError(f"{cls.__name__} needs {' and '.join(missing)}. Received: {cls.__name__}({given}); {remedy}")


OF_EVERY_LAYER = ("name", "dtype", "trainable", "autocast")  # of `keras.layers.Layer`, which writes them itself


def passed_on(scope):
    """What a constructor hands to its base classes: those of its options that they declare, too, and its `**kwargs`.

    Args:
        scope: `locals()` of the constructor, in which the options have the values that it was given.
    """
    own, order = scope["__class__"], type(scope["self"]).__mro__
    bases = order[order.index(own) + 1 :]
    wanted = {name for base in bases if "__init__" in vars(base) for name in declared(base.__init__)}
    given = current_names(type(scope["self"]), scope["kwargs"])
    return {name: scope[name] for name in declared(own.__init__) if name in wanted} | given


def current_names(cls, given):
    """The given options by the names of today: a class may hold old ones in `renamed_options`, old name to new."""
    renamed = getattr(cls, "renamed_options", {})
    for old in renamed.keys() & given.keys():
        warnings.warn(f"{cls.__name__}: `{old}` is now `{renamed[old]}`", DeprecationWarning, stacklevel=4)
    return {renamed.get(name, name): value for name, value in given.items()}


def part_of(scope, cls):
    """The options of a constructor that another class declares, too: to make one of it inside the layer."""
    return {name: scope[name] for name in declared(scope["__class__"].__init__) if name in declared(cls.__init__)}


def configuration(layer):
    """What `get_config` holds: the options that the constructor and those of its bases declare, from the attributes.

    A class may write an entry itself in a `get_config` of its own; then it, and its bases, need not have the attribute.
    """
    found, written = {}, False
    order = type(layer).__mro__
    for base in order[: order.index(keras.layers.Layer)]:
        written = written or "get_config" in vars(base)
        for name, parameter in declared(base.__init__).items() if "__init__" in vars(base) else ():
            option = of(parameter.annotation)
            if name in found or name in OF_EVERY_LAYER or not option.kept:
                continue
            if hasattr(layer, name):
                found[name] = option.write(getattr(layer, name))
            elif not written:
                raise ValueError(
                    "An option of a layer must be an attribute of its name, from which get_config reads it. "
                    f"Received: {base.__name__} with the option `{name}` and no attribute of it; set self.{name} in "
                    "the constructor, or write the entry in a get_config of its own"
                )
    return found
