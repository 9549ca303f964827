"""fold(): the same function as a Keras model of stock layers only, ready to be served."""

from __future__ import annotations

import collections
from typing import Literal

import keras

from keras_equivariant.equivariance.twin import walk
from keras_equivariant.export.folding.emit import Emitter
from keras_equivariant.export.folding.rules import apply_rule
from keras_equivariant.layers.core.base import space_rank
from keras_equivariant.stock import copies


def fold(model: keras.Model, name: str | None = None, dtype: Literal["float32", "float64"] = "float32") -> keras.Model:
    """A Keras model of stock layers only that computes what `model` computes at inference.

    Rotated and harmonic kernels become the kernels of `keras.layers.Conv2D` or `Conv3D`, regular features
    (B, *space, |G|, C) become tensors (B, *space, |G| * C), harmonic ones (B, H, W, (M+1) * 2 * C), BatchNormalization
    is absorbed by the convolution before it (y = γ (k ⋆ x + b − μ) / √(σ² + ε) + β is a convolution again), and what
    only acts in training is left out. What TFLite lacks in space is rewritten: a pooling of volumes as two of planes, a
    grouped or dilated convolution with the zeros of its kernel written out.
    The result is frozen, and its `.keras` file loads where keras_equivariant is not installed.

    Args:
        model: a built functional or sequential `keras.Model`; nested and shared models are fine.
        name: name of the folded model; by default that of `model`.
        dtype: `"float32"` or `"float64"`, of every layer, whatever the precision `model` was trained in.

    Returns:
        A functional `keras.Model` with the inputs and outputs (structure, shapes, order) of `model`.

    Raises:
        TypeError: if `model` is not a Keras model.
        ValueError: if it is subclassed or not built, or if a layer is neither stock nor foldable.

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
    graph = functional(model)
    try:
        folded = _fold(graph, name or model.name, dtype)
    except ValueError as error:
        if "unique" not in str(error):
            raise
        folded = _fold(graph, name or model.name, dtype, advance_names=True)
    folded.trainable = False
    return folded


def _fold(graph, name, dtype, advance_names=False):
    separate = _branching(graph)
    while True:
        emitter = Emitter(dtype, separate, _common_rank(graph), advance_names)
        folded = _Folder(emitter).run(graph, name)
        if not emitter.merged_in_vain():
            return folded
        separate |= emitter.merged_in_vain()


def functional(model, purpose="folded"):
    """The model's graph as a plain functional model over the same tensors; `purpose` is what the errors say."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"`model` must be a keras.Model. Received: {model!r} of type {type(model).__name__}")
    if isinstance(model, keras.Sequential):
        if not model.built or not model.inputs:
            raise ValueError(
                f"A model must be built before it is {purpose}. Received: the sequential model "
                f'"{model.name}" without an input shape. Call model.build((None, height, width, channels)), '
                "or put a keras.Input first."
            )
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    try:
        graph = keras.Model(model.input, model.output, name=model.name)
    except (AttributeError, ValueError):
        graph = None
    if graph is None or type(model).call is not type(graph).call:
        raise ValueError(
            f"A model must be functional or sequential to be {purpose}: the calls inside a subclassed model are not "
            f'known. Received: "{model.name}" of class {type(model).__name__}. Build it in the functional API, or '
            "with keras_equivariant.build_from_spec"
        )
    return graph


def _branching(graph):
    """Ids of the operations whose output is needed more than once, as far as that is seen without walking."""
    uses = collections.Counter(id(tensor) for tensor in graph.outputs)
    called_once = []
    for operation in graph.operations:
        try:
            uses.update(id(tensor) for tensor in keras.tree.flatten(operation.input))
            called_once.append((id(operation), id(operation.output)))
        except AttributeError:  # a shared layer has no single input; the walk finds out
            continue
    return {operation for operation, output in called_once if uses[output] > 1}


def _common_rank(graph):
    """Axes of space where a layer does not know: those that all layers of this graph that know agree on, else 2."""
    found = {space_rank(layer) for layer in walk(graph)} - {None}
    return found.pop() if len(found) == 1 else 2


class _Folder:
    """One walk through the graph."""

    def __init__(self, emitter):
        self.emitter = emitter
        self._models = {}

    def run(self, graph, name):
        with self.emitter.scope(graph):
            inputs = keras.tree.map_structure(self._input, graph.input)
            clone = self._walk(graph, inputs)
            outputs = keras.tree.map_structure(self.emitter.features.full, clone.output)
            return self.emitter.finish(inputs, outputs, name)

    def _input(self, tensor):
        dtype = self.emitter.dtype if tensor.dtype in copies.FLOATS else tensor.dtype
        return keras.Input(batch_shape=tensor.shape, dtype=dtype, name=tensor.name)

    def _walk(self, graph, inputs):
        return keras.models.clone_model(
            graph, input_tensors=inputs, clone_function=lambda operation: operation, call_function=self._call
        )

    def _call(self, operation, *args, **kwargs):
        # As in predict(), which overrides a `training` given when the graph was built.
        kwargs = {key: value for key, value in kwargs.items() if value is not None and key != "training"}
        if isinstance(operation, keras.Model):
            return self._call_model(operation, *args, **kwargs)
        return apply_rule(self.emitter, operation, args, kwargs)

    def _call_model(self, model, inputs):
        """A model within the model stays one; features with a fibre cross its border in their 4-D form."""
        features = self.emitter.features
        given = [features.get(tensor) for tensor in keras.tree.flatten(inputs)]
        outer = keras.tree.map_structure(self._crossing, inputs)
        key = (id(model), *((f.fibre, f.sections, f.rank) if f else None for f in given))
        if key not in self._models:
            name = self.emitter.own_name(model.name)
            self._models[key] = self._fold_nested(functional(model), given, outer, name)
        folded, outputs = self._models[key]
        results = keras.tree.flatten(folded(outer))
        for result, output in zip(results, outputs, strict=True):
            if output is not None:
                features.add(output.holding(result))
        return keras.tree.pack_sequence_as(folded.output, results)

    def _fold_nested(self, graph, given, outer, name):
        features = self.emitter.features
        with self.emitter.scope(graph):
            flat = []
            for reference, known, tensor in zip(
                keras.tree.flatten(graph.input), given, keras.tree.flatten(outer), strict=True
            ):
                flat.append(keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=reference.name))
                if known:
                    features.add(known.holding(flat[-1]))
            inputs = keras.tree.pack_sequence_as(graph.input, flat)
            clone = self._walk(graph, inputs)
            outputs = keras.tree.map_structure(self._crossing, clone.output)
            folded = self.emitter.finish(inputs, outputs, name)
        return folded, [features.get(tensor) for tensor in keras.tree.flatten(outputs)]

    def _crossing(self, tensor):
        """The tensor that passes the border of a nested model."""
        features = self.emitter.features
        return features.packed(tensor).tensor if features.get(tensor) else tensor
