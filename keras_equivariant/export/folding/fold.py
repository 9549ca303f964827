"""fold(): the same function as a Keras model of stock layers only, ready to be served."""

from __future__ import annotations

import collections
from typing import Literal

import keras

from keras_equivariant.export.folding.block_rule import TENSORFLOW
from keras_equivariant.export.folding.blocks import finite_groups, in_blocks
from keras_equivariant.export.folding.comparison import check_same
from keras_equivariant.export.folding.emit import Emitter
from keras_equivariant.export.folding.folder import Folder
from keras_equivariant.graphs.calls import calls
from keras_equivariant.graphs.reading import functional, walk
from keras_equivariant.graphs.rewriting import with_masks
from keras_equivariant.layers.core.base import space_rank

FORMS = ("auto", "dense", "blocks")


def fold(
    model: keras.Model,
    name: str | None = None,
    dtype: Literal["float32", "float64"] = "float32",
    verify: bool = True,
    pointwise: Literal["auto", "dense", "blocks"] = "auto",
) -> keras.Model:
    """A Keras model of stock layers only that computes what `model` computes at inference.

    Rotated and harmonic kernels become the kernels of `keras.layers.Conv2D` or `Conv3D`, regular features
    (B, *space, |G|, C) become tensors (B, *space, |G| * C), harmonic ones (B, H, W, (M+1) * 2 * C), BatchNormalization
    is absorbed by the convolution before it (y = γ (k ⋆ x + b − μ) / √(σ² + ε) + β is a convolution again), and what
    only acts in training is left out. What TFLite lacks in space is rewritten: a pooling of volumes as two of planes, a
    grouped or dilated convolution with the zeros of its kernel written out.
    A group convolution is block diagonal in the Fourier basis of its group, one with a window as a 1x1 convolution of
    the patches that it reads: wide ones become additions with one small 1x1 convolution for each irrep between, a
    fraction of the multiplications (D4 5.3x, O 8.5x, Oh 17x fewer) and of the weights.
    What takes the gradient of a network, such as `ke.dynamics.EnergyAndForces`, is that around the folded network.
    The result is frozen, and its `.keras` file loads where keras_equivariant is not installed, if there is no gradient.

    Args:
        model: a built `keras.Model`; nested and shared models and layers made of layers are fine. A subclassed model
            is followed once on symbolic tensors.
        name: name of the folded model; by default that of `model`.
        dtype: `"float32"` or `"float64"`, of every layer, whatever the precision `model` was trained in.
        verify: compare the answers with those of `model` on random inputs, and raise where they differ; False spares
            the two forward passes.
        pointwise: `"blocks"` writes every group convolution in blocks (those with a window where all elements of the
            group map it onto itself), `"dense"` none, `"auto"` those that are quicker so in TensorFlow by a measured
            rule; `export` has a rule for each format.

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
    check_pointwise(pointwise)
    if dtype not in ("float32", "float64"):
        raise ValueError(f'`dtype` of a folded model must be "float32" or "float64". Received: dtype={dtype!r}')
    graph = with_masks(functional(model, "folded", functions=True))
    try:
        folded = _fold(graph, name or model.name, dtype)
    except ValueError as error:
        if "unique" not in str(error):
            raise
        folded = _fold(graph, name or model.name, dtype, advance_names=True)
    folded.trainable = False
    if pointwise != "dense":
        folded, _ = in_blocks(folded, finite_groups(graph), pays(pointwise, TENSORFLOW))
    if verify:
        check_same(model, folded)
    return folded


def check_pointwise(pointwise):
    """ValueError for another form of group convolutions than there is."""
    if pointwise not in FORMS:
        raise ValueError(f'`pointwise` must be "auto", "dense" or "blocks". Received: pointwise={pointwise!r}')


def pays(pointwise, rule):
    """When blocks are taken: always, never (without a rule, too), or by the rule."""
    if pointwise == "dense" or rule is None:
        return lambda *_: False
    return (lambda *_: True) if pointwise == "blocks" else rule.pays


def _fold(graph, name, dtype, advance_names=False):
    separate = _branching(graph)
    while True:
        emitter = Emitter(dtype, separate, _common_rank(graph), advance_names)
        folded = Folder(emitter).run(graph, name)
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
