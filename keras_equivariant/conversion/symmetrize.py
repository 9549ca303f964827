"""symmetrize(): any trained model made exactly invariant or equivariant, unchanged inside."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import ArrayLike

from keras_equivariant import groups, layers
from keras_equivariant.conversion.output_names import output_names, with_output_names
from keras_equivariant.conversion.plan import Plan, without_maps
from keras_equivariant.graphs.calls import check_channels_last, fresh
from keras_equivariant.graphs.reading import as_functional, functional
from keras_equivariant.graphs.rewriting import inlined
from keras_equivariant.groups.group import Group
from keras_equivariant.groups.layouts import Reshaped
from keras_equivariant.layers.orbits.average import GroupAverage, GroupCopies
from keras_equivariant.layers.orbits.canonical import TIE, Canonical, GroupChoice
from keras_equivariant.layers.orbits.moving import check_moves
from keras_equivariant.utils.checks import check_choice


def symmetrize(
    model: keras.Model,
    group: str | Group = "D4",
    how: Literal["average", "canonical"] = "average",
    outputs: Any = None,
    scorer: keras.Model | None = None,
    name: str | None = None,
) -> keras.Model:
    """Any model made exactly invariant or equivariant, its weights and layers as they are.

    average: y(f) = 1 / |G| sum over g of L_g model(L_g^-1 f)
    canonical: y(f) = L_g model(L_g^-1 f) for the g with the largest score s_g(f), where s_gh(L_g f) = s_h(f)

    The average takes |G| passes, all of them in one batch, and is as smooth as the model. The canonical form takes one
    and a small convolution that scores the orientations; its answer jumps where two scores are equal (`canonical_ties`
    measures how near inputs are to that), and the model must do well in whichever orientation the scorer picks: train
    it with augmentation, or go on training the result.

    Args:
        model: any Keras model of images (B, H, W, C), for groups of the plane, or volumes, for groups of space; other
            inputs are taken for invariant.
        group: one that maps the pixel grid onto itself: `"D4"`, `"C4"`, `"D2"`, `"O"`, `"Oh"`, ...
        how: `"average"` or `"canonical"`.
        outputs: how each output is to transform, one, a list, or a dict by the outputs' names: `"image"`,
            `"invariant"` or a field type, such as `"1x1"` for vectors.
            None takes maps (B, H, W, C) for images of scalars and vectors (B, C) for invariant.
        scorer: for `"canonical"`, a model of the first image with regular outputs (B, |G|); None for a convolution
            with fixed weights.
        name: of the new model; by default that of `model`.

    Returns:
        A functional `keras.Model` with the inputs and outputs of `model`; it shares its layers with `model`.

    Raises:
        TypeError: if `model` is not a Keras model.
        ValueError: a layer with its channels first, a group that is not finite or does not map the pixel grid onto
            itself, images whose axes the group swaps and that differ in size, outputs that do not have the layout.

    Example:
        >>> import keras, keras_equivariant as ke
        >>> image = keras.Input((8, 8, 1))
        >>> plain = keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(image)))
        >>> ke.certify(ke.symmetrize(plain, "D4")).verdict
        'exact'

    Equivariance: exact for every element, on every input, symmetric ones included.

    Reference: Puny et al., arXiv 2110.03336 (averages); Kaba et al., arXiv 2211.06489 (canonical forms).
    """
    check_choice(how, "how", ("average", "canonical"))
    if not isinstance(model, keras.Model):
        raise TypeError(f"`model` must be a keras.Model. Received: {model!r} of type {type(model).__name__}")
    group = groups.orthogonal_group(group)
    graph = as_functional(model, purpose="symmetrized")
    inputs = keras.tree.map_structure(fresh, graph.input)
    flat = keras.tree.flatten(inputs)
    images = [x for x in flat if len(x.shape) == group.dimension + 2]
    if not images:
        raise without_maps(flat[0], group.dimension)
    check_channels_last(graph)
    wanted = _layouts(model, graph, outputs, group)
    build = _average if how == "average" else _canonical
    found = build(model, inputs, images, wanted, group, scorer)
    symmetric = keras.Model(inputs, keras.tree.pack_sequence_as(graph.output, found), name=name or model.name)
    return with_output_names(symmetric, output_names(model, graph), lambda taken: taken)


def _layouts(model, graph, outputs, group):
    """A spelling for each output; a Reshaped for a map that the model put on other axes."""
    tensors = graph.outputs
    given = outputs if isinstance(outputs, list | tuple) else [outputs] * len(tensors)
    named = isinstance(outputs, Mapping)
    if named and isinstance(graph.output, Mapping) and set(outputs) == set(graph.output):
        keys = type(graph.output)((key, key) for key in graph.output)
        given = [outputs[key] for key in keras.tree.flatten(keys)]
    if len(given) != len(tensors) or (named and given[0] is outputs):
        keys = f", by the names {sorted(graph.output)}" if isinstance(graph.output, Mapping) else ", as a list"
        raise ValueError(
            f"`outputs` must have one layout for each of the {len(tensors)} outputs{keys}. Received: "
            f"outputs={outputs!r}"
        )
    usual = {group.dimension + 2: "image", 2: "invariant", 1: "invariant"}
    named = [one or usual.get(len(x.shape)) for one, x in zip(given, tensors, strict=True)]
    if None in named:
        plan = Plan(graph := inlined(functional(model, "symmetrized", functions=True), functions=True), group.dimension)
        heads = [plan[x].layout for x in graph.outputs]
        named = [one or (head if isinstance(head, Reshaped) else None) for one, head in zip(named, heads, strict=True)]
    if None in named:
        shapes = [tuple(x.shape) for x in tensors]
        raise ValueError(
            f"The layout of an output must follow from its shape, or be given. Received: outputs of shapes {shapes}; "
            'pass outputs="image", "invariant" or a field type; of a map in another shape symmetrize what comes before '
            "its Reshape"
        )
    for layout, x in zip(named, tensors, strict=True):
        if not isinstance(layout, Reshaped):
            check_moves(layout, group, tuple(x.shape))
    return named


def _as_maps(results, wanted, transform):
    """`transform(y, spelling, number)` of each result; of those on other axes in the shape of the map before."""
    found = []
    for i, (y, layout) in enumerate(zip(keras.tree.flatten(results), wanted, strict=True)):
        number = f"_{i}" if i else ""
        if not isinstance(layout, Reshaped):
            found.append(transform(y, layout, number))
            continue
        z = transform(keras.layers.Reshape(layout.shape, name=f"map{number}")(y), str(layout.layout), number)
        found.append(keras.layers.Reshape(y.shape[1:], name=f"predictions{number}")(z))
    return found


def _average(model, inputs, images, wanted, group, scorer):
    copies = keras.tree.map_structure(lambda x: GroupCopies(group, name=f"{x.name}_copies")(x), inputs)
    return _as_maps(
        model(copies),
        wanted,
        lambda y, layout, number: GroupAverage(group, layout, name=f"average{number}", dtype=y.dtype)(y),
    )


def _canonical(model, inputs, images, wanted, group, scorer):
    default = scorer is None
    scorer = scorer or default_scorer(images[0], group)
    weights = GroupChoice(group, name="choice")(scorer(_real(images[0]) if default else images[0]))

    def upright(x):
        if not any(x is image for image in images):
            return x
        real = _real(x)
        y = Canonical(group, name=f"{x.name}_canonical", dtype=real.dtype)([real, weights])
        return y if real is x else keras.ops.cast(keras.ops.round(y), x.dtype)

    rotated = keras.tree.map_structure(upright, inputs)
    return _as_maps(
        model(rotated),
        wanted,
        lambda y, layout, number: Canonical(group, True, layout, name=f"forth{number}", dtype=y.dtype)([y, weights]),
    )


def _real(image):
    """An image in real numbers: convolutions take no integers, and orientations that share a score are averaged."""
    return image if keras.backend.is_float_dtype(image.dtype) else keras.ops.cast(image, keras.config.floatx())


def default_scorer(image, group):
    """A small equivariant network with a score for each element, on an image that is first made smaller."""
    rank, sizes = group.dimension, image.shape[1:-1]
    suffix = f"{rank}D"
    inputs = keras.Input(image.shape[1:], name="image")
    x = inputs
    factor = _factor(sizes, 16 if rank == 2 else 8)
    if factor > 1:
        x = getattr(layers, f"AveragePooling{suffix}")(factor, group=group, name="score_pooling")(x)
    options = {"group": group, "padding": "same", "use_bias": False}
    lifted = keras.initializers.HeNormal(seed=1)
    mixed = keras.initializers.HeNormal(seed=2)
    x = getattr(layers, f"LiftingConv{suffix}")(
        4, 5 if rank == 2 else 3, activation="relu", kernel_initializer=lifted, name="score_lifting", **options
    )(x)
    x = getattr(layers, f"GroupConv{suffix}")(1, 3, kernel_initializer=mixed, name="score_mixing", **options)(x)
    x = keras.layers.Activation("relu", name="score_rectified")(x)
    x = keras.ops.mean(x, axis=list(range(1, rank + 1)))
    return keras.Model(inputs, keras.ops.squeeze(x, axis=-1), name="scorer")


def _factor(sizes, least):
    """The largest whole factor by which all sizes can be divided and stay at least so large."""
    if None in sizes:
        return 1
    fitting = [n for n in range(1, min(sizes) + 1) if all(s % n == 0 and s // n >= least for s in sizes)]
    return max(fitting, default=1)


@dataclasses.dataclass(frozen=True)
class Ties:
    """How near images are to where their canonical orientation jumps.

    Attributes:
        gaps: for each image the largest score less the next one, relative to the largest.
        share: the share of images of which several orientations share the largest score.
    """

    gaps: np.ndarray
    share: float

    def __str__(self):
        return (
            f"{self.share:.1%} of {len(self.gaps)} images have orientations that share a largest score; of the others "
            f"half are within {np.median(self.gaps[self.gaps > TIE]) if self.share < 1 else 0:.2g} of the next score"
        )


def canonical_ties(model: keras.Model, images: ArrayLike) -> Ties:
    """How near images are to the places where a canonical form jumps: there two orientations score alike.

    Args:
        model: what `symmetrize(..., how="canonical")` returned.
        images: array `(B, *space, C)`.

    Returns:
        Ties; `print(ties)` says it in a sentence.

    Raises:
        ValueError: for any other model.

    Example:
        >>> import keras, numpy as np, keras_equivariant as ke
        >>> image = keras.Input((16, 16, 1))
        >>> plain = keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(image)))
        >>> model = ke.symmetrize(plain, "C4", how="canonical")
        >>> ke.canonical_ties(model, np.random.default_rng(0).random((8, 16, 16, 1), "float32")).share
        0.0
    """
    choice = next((layer for layer in model.layers if isinstance(layer, GroupChoice)), None)
    if choice is None:
        raise ValueError(
            'A canonical form comes from symmetrize(..., how="canonical"). Received: the model '
            f'"{model.name}", which chooses no orientation; an average has no ties'
        )
    source = choice.input._keras_history.operation
    scores = keras.ops.convert_to_numpy(source(keras.ops.convert_to_tensor(images))).astype("float64")
    ordered = np.sort(scores, axis=-1)
    gaps = (ordered[:, -1] - ordered[:, -2]) / np.maximum(np.abs(scores).max(axis=-1), 1e-30)
    return Ties(gaps, float(np.mean(gaps <= TIE)))
