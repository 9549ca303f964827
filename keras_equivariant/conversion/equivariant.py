"""equivariant(): a network of stock Keras layers as an equivariant one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import keras

from keras_equivariant import groups
from keras_equivariant.conversion.channels import Widths
from keras_equivariant.conversion.converter import Converter
from keras_equivariant.conversion.matching import MATCHES, cost, matched
from keras_equivariant.conversion.output_names import output_names, with_output_names
from keras_equivariant.conversion.plan import Plan, check
from keras_equivariant.conversion.pools import with_layers
from keras_equivariant.conversion.report import Conversion
from keras_equivariant.conversion.weights import project
from keras_equivariant.graphs.reading import functional
from keras_equivariant.graphs.rewriting import inlined
from keras_equivariant.groups.group import Group
from keras_equivariant.utils.checks import check_choice, check_number


def equivariant(
    model: keras.Model,
    group: str | Group = "D4",
    match: Literal["parameters", "channels", "multiply-adds"] | float = "parameters",
    weights: Literal["project"] | None = None,
    strict: bool = True,
    outputs: Literal["pooled", "regular"] = "pooled",
    replacements: Mapping[type, Callable[[keras.Layer], keras.Layer]] | None = None,
    name: str | None = None,
) -> keras.Model:
    """The equivariant twin of a network of stock Keras layers: the same architecture, with other weights.

    y(L_g f) = L_g y(f) for every g of `group`

    The first convolution lifts the image to the group, convolutions, dense layers on pixels and normalizations become
    those of the group, pooling over all of space pools over the group as well, and predictions are invariant: a
    vector stays the same, a map moves with the image. Windows that do not treat all sides alike, such as one of three
    pixels with strides of 2 on an even size, are replaced by the nearest that do, with outputs of the same size;
    `conversion_table` says which.

    Args:
        model: a functional or sequential model, or a subclassed one that has been called; models inside models, shared
            layers and layers made of layers are fine. Images (B, H, W, C) for groups of the plane, volumes
            (B, D, H, W, C) for groups of space; other inputs may be vectors.
        group: the symmetry: `"C4"`, `"D4"`, `"C8"`, `"O"`, `"Oh"`, ...; `"Z2"` and `"Z3"` give the network itself.
        match: what the twin has as much of as the original: `"parameters"`, `"channels"` (fields times elements of the
            group) or `"multiply-adds"`. A number is that of fields for each channel.
        weights: None for random ones; `"project"` starts from those of `model`: as many of its channels as there are
            fields, those with the largest kernels, without mixing of orientations. With `match=1.0` nothing is cut off,
            and the twin begins as the mean of `model` over the group, as far as its windows are those of `model`.
        strict: replace windows that are not symmetric, and raise where none fits or where a map that is an output does
            not move with the image, such as one decoded from a vector; with False keep them, and warn.
        outputs: `"pooled"`: feature maps come out without the group axis; `"regular"`: with it.
        replacements: dict from classes of layers of your own to functions of such a layer that give the layer in its
            place, on features (B, *space, |G|, C).
        name: of the twin; by default the name of `model` and that of the group.

    Returns:
        A functional `keras.Model`, not compiled. `print(model.conversion)`, or `conversion_table(model)`, shows what
        became of each layer and why.

    Raises:
        TypeError: if `model` is not a Keras model.
        ValueError: for layers without a counterpart, all of which it names with what to use instead; for
            a group that is not finite, unknown options, calls inside a subclassed model that cannot be followed.

    Example:
        >>> import keras, keras_equivariant as ke
        >>> stock = keras.Sequential([
        ...     keras.Input((32, 32, 3)),
        ...     keras.layers.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
        ...     keras.layers.GlobalAveragePooling2D(),
        ...     keras.layers.Dense(10),
        ... ])
        >>> twin = ke.equivariant(stock, group="D4", match="channels")
        >>> twin.layers[1].output.shape, twin.output.shape
        ((None, 16, 16, 8, 4), (None, 10))

    Equivariance: exact for the elements that map the pixel grid onto itself, on every output; `certify` measures it.

    Reference: Cohen & Welling, arXiv 1602.07576, sections 6 and 8.
    """
    match = _checked(match)
    check_choice(weights, "weights", (None, "project"))
    check_choice(outputs, "outputs", ("pooled", "regular"))
    group = groups.orthogonal_group(group)
    if not group.is_finite:
        raise ValueError(
            f"`group` must be finite. Received: group={group.name!r}; use so many rotations, such as "
            f"{'C8 or D8' if group.dimension == 2 else 'O or Oh'}"
        )
    replacements = _replacements(replacements)
    graph = inlined(functional(model, "converted", functions=True, closed=replacements), True, replacements)
    graph = with_layers(graph)
    plan = Plan(graph, group.dimension, replacements)
    check(plan)
    name, names = name or f"{model.name}_{group.name.lower()}", output_names(model, graph)

    def build(width):
        walk = Converter(graph, plan, Widths(plan.channels, width), group, strict, replacements)
        return with_output_names(walk.run(name, outputs), names, walk.names.new), walk

    width, (twin, walk) = matched(match, group, model, build)
    lost = project(walk, walk.widths) if weights else {}
    before, after = (cost(one, "parameters") for one in (model, twin))
    twin.conversion = Conversion(group.name, match, width, before, after, walk.rows, lost)
    return twin


def _replacements(given):
    given = {} if given is None else given
    right = isinstance(given, Mapping) and all(isinstance(c, type) and callable(f) for c, f in given.items())
    if not right:
        raise TypeError(
            "`replacements` must be a dict from classes of layers to functions of a layer. Received: "
            f"replacements={given!r}; write replacements={{Own: lambda layer: ...}}"
        )
    return dict(given)


def _checked(match):
    if isinstance(match, str):
        return check_choice(match, "match", MATCHES)
    return check_number(match, "match", 0, 64, f"one of {MATCHES}, or a number of fields for each channel up to 64")
