"""fold(): the same function as a Keras model of stock layers only, ready to be served."""

from __future__ import annotations

import collections
from typing import Literal

import keras

from keras_equivariant.export.folding.comparison import check_same
from keras_equivariant.export.folding.emit import Emitter
from keras_equivariant.export.folding.features import Packed
from keras_equivariant.export.folding.rules import apply_rule
from keras_equivariant.graphs.calls import calls, fresh
from keras_equivariant.graphs.reading import functional, walk
from keras_equivariant.graphs.rewriting import Rewriter
from keras_equivariant.layers.core.base import space_rank
from keras_equivariant.stock import copies


def fold(
    model: keras.Model,
    name: str | None = None,
    dtype: Literal["float32", "float64"] = "float32",
    verify: bool = True,
) -> keras.Model:
    """A Keras model of stock layers only that computes what `model` computes at inference.

    Rotated and harmonic kernels become the kernels of `keras.layers.Conv2D` or `Conv3D`, regular features
    (B, *space, |G|, C) become tensors (B, *space, |G| * C), harmonic ones (B, H, W, (M+1) * 2 * C), BatchNormalization
    is absorbed by the convolution before it (y = γ (k ⋆ x + b − μ) / √(σ² + ε) + β is a convolution again), and what
    only acts in training is left out. What TFLite lacks in space is rewritten: a pooling of volumes as two of planes, a
    grouped or dilated convolution with the zeros of its kernel written out.
    The result is frozen, and its `.keras` file loads where keras_equivariant is not installed.

    Args:
        model: a built `keras.Model`; nested and shared models and layers made of layers are fine. A subclassed model
            is followed once on symbolic tensors.
        name: name of the folded model; by default that of `model`.
        dtype: `"float32"` or `"float64"`, of every layer, whatever the precision `model` was trained in.
        verify: compare the answers with those of `model` on random inputs, and raise where they differ; False spares
            the two forward passes.

    Returns:
        A functional `keras.Model` with the inputs and outputs (structure, shapes, order) of `model`.

    Raises:
        TypeError: if `model` is not a Keras model.
        ValueError: if it is not built, if a layer is neither stock nor foldable, if the calls inside a subclassed model
            cannot be followed, or if the folded model gives other answers.

    Example:
        >>> import keras, keras_equivariant as ke
        >>> image = keras.Input((28, 28, 1))
        >>> x = ke.layers.LiftingConv2D(8, 3, group="C4", padding="same", activation="relu")(image)
        >>> folded = ke.fold(keras.Model(image, ke.layers.GroupPooling("max")(x)))
        >>> folded.layers[1].get_weights()[0].shape
        (3, 3, 1, 32)

    Equivariance: that of `model`; folding moves no numbers but by rounding.
    """
    if dtype not in ("float32", "float64"):
        raise ValueError(f'`dtype` of a folded model must be "float32" or "float64". Received: dtype={dtype!r}')
    graph = functional(model, "folded")
    try:
        folded = _fold(graph, name or model.name, dtype)
    except ValueError as error:
        if "unique" not in str(error):
            raise
        folded = _fold(graph, name or model.name, dtype, advance_names=True)
    folded.trainable = False
    if verify:
        check_same(model, folded)
    return folded


def _fold(graph, name, dtype, advance_names=False):
    separate = _branching(graph)
    while True:
        emitter = Emitter(dtype, separate, _common_rank(graph), advance_names)
        folded = _Folder(emitter).run(graph, name)
        if not emitter.merged_in_vain():
            return folded
        separate |= emitter.merged_in_vain()


def _branching(graph):
    """Ids of the operations an output of which is needed more than once, as far as that is seen without walking."""
    found = calls(graph)
    uses = collections.Counter(id(tensor) for call in found for tensor in call.inputs)
    uses.update(id(tensor) for tensor in graph.outputs)
    return {id(call.operation) for call in found if any(uses[id(tensor)] > 1 for tensor in call.outputs)}


def _common_rank(graph):
    """Axes of space where a layer does not know: those that all layers of this graph that know agree on, else 2."""
    found = {space_rank(layer) for layer in walk(graph)} - {None}
    return found.pop() if len(found) == 1 else 2


class _Folder(Rewriter):
    """One walk through the graph. A model within the model stays one; features with a fibre cross its border in their
    4-D form."""

    purpose = "folded"

    def __init__(self, emitter):
        super().__init__()
        self.emitter, self.features = emitter, emitter.features
        self.scope, self.own_name, self.finish = emitter.scope, emitter.own_name, emitter.finish

    def call(self, operation, args, kwargs):
        kwargs.pop("training", None)  # as in predict(), which overrides what was given when the graph was built
        return apply_rule(self.emitter, operation, args, kwargs)

    def input(self, tensor):
        return fresh(tensor, self.emitter.dtype if tensor.dtype in copies.FLOATS else None)

    def form(self, tensor):
        features = self.features.get(tensor)
        return features and (features.fibre, features.sections, features.rank)

    def mark(self, tensor, form):
        return tensor if form is None else self.features.add(Packed(*form, tensor=tensor))

    def crossing(self, tensor):
        return self.features.packed(tensor).tensor if self.features.get(tensor) else tensor

    def outputs(self, tensors):
        return keras.tree.map_structure(self.features.full, tensors)
