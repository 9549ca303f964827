"""Puts stock layers into the folded graph: names them, sets their weights, merges what can be merged."""

import contextlib
import dataclasses
import re

import keras

from keras_equivariant.export.folding import enlarging, merge
from keras_equivariant.export.folding.features import Features
from keras_equivariant.graphs.reading import has_own_activation
from keras_equivariant.graphs.rewriting import Names, advance_automatic_names
from keras_equivariant.graphs.tracing import Untraceable, follow_function
from keras_equivariant.graphs.weights import clone_operation, constants, set_weights
from keras_equivariant.stock import copies, making
from keras_equivariant.stock.inference import at_inference

_SAFE = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")


class Emitter:
    """The folded graph under construction.

    Args:
        dtype: dtype of every layer.
        separate: ids of convolutions of the unfolded model to leave unmerged, because something besides the
            BatchNormalization needs their output.
        rank: axes of space of tensors about which no layer says it.
        advance_names: keep the names that Keras gives to operations away from those of the unfolded model, which may
            have got theirs in another process. Changes the names of what is built afterwards.
    """

    def __init__(self, dtype, separate=(), rank=2, advance_names=False):
        self.dtype = dtype
        self._advance_names = advance_names
        self.features = Features(self.make, rank)
        self._separate = separate
        self._layers = {}
        self._weights = {}
        self._steps = {}
        self._producers = {}
        self._affine = {}
        self._wasted = set()
        self._scopes = []

    @contextlib.contextmanager
    def scope(self, graph):
        """The layers of one model: its names are its own, and merges are judged by what is left in it."""
        self._scopes.append(_Scope(_SafeNames(operation.name for operation in graph.operations)))
        if self._advance_names:
            advance_automatic_names(graph)
        try:
            yield
        finally:
            self._scopes.pop()

    def finish(self, inputs, outputs, name):
        """The model of this scope, with its weights."""
        model = keras.Model(inputs, outputs, name=name)
        alive = {id(layer) for layer in model.layers}
        self._wasted |= {source[0] for layer, source in self._scopes[-1].merged if id(layer) in alive}
        for layer in model.layers:
            weights = self._weights.pop(id(layer), None)
            if weights:
                copies.check_shapes(layer, weights)
                set_weights(layer, weights)
        return model

    def own_name(self, name):
        """The name of a layer or nested model of the unfolded model, in the folded one."""
        return self._scopes[-1].names.own(name)

    def view(self, tensor):
        """The same numbers as a tensor of its own, which can stand for features of another form."""
        result = self.make(keras.layers.Identity, "view")(tensor)
        if id(tensor) in self._producers:
            self._producers[id(result)] = (*self._producers[id(tensor)][:-1], result)
        return result

    def merged_in_vain(self):
        """Ids of the convolutions that had to stay although a merged copy of them was made."""
        return self._wasted

    def make(self, layer_class, stem, *args, **kwargs):
        """A new stock layer with a name that the model does not have yet."""
        return self._make(layer_class, self._scopes[-1].names.new(stem), *args, **kwargs)

    def replace(self, layer, layer_class, *args, **kwargs):
        """A new stock layer in the place, and with the name, of another one."""
        return self._make(layer_class, self.own_name(layer.name), *args, **kwargs)

    def _make(self, layer_class, name, *args, **kwargs):
        return making.make(layer_class, *args, name=name, dtype=self.dtype, trainable=False, **kwargs)

    def steps(self, layer, input_shape):
        """The built stock layers that a layer folds to, for its inputs as they are; made once."""
        if id(layer) not in self._steps:
            self._steps[id(layer)] = layer.fold(input_shape)
            for step, weights in self._steps[id(layer)]:
                step.build(input_shape)
                set_weights(step, weights)
        return [step for step, _ in self._steps[id(layer)]]

    def copy(self, operation, *args, **kwargs):
        """Calls a copy of a stock layer, or of an operation of keras.ops, with the same weights."""
        args, kwargs = constants((args, kwargs))
        if not isinstance(operation, keras.layers.Layer):
            return clone_operation(operation)(*args, **kwargs)
        overrides, weights = at_inference(operation)
        source = (id(operation),)
        if len(args) == 1 and not kwargs:
            return self.apply(source, operation, weights, args[0], **overrides)
        return self._call(self._layer(source, operation, **overrides), weights, *args, **kwargs)

    def changed(self, layer, changes, *args):
        """As `copy`, of a stock layer with a few entries of its configuration changed."""
        overrides, weights = at_inference(layer)
        new = self._layer((id(layer), repr(changes)), layer, **overrides, **changes)
        return self._call(new, weights, *args)

    def keep(self, operation, *args, **kwargs):
        """As `copy`, of what is folded already: nothing is merged."""
        args, kwargs = constants((args, kwargs))
        if not isinstance(operation, keras.layers.Layer):
            return clone_operation(operation)(*args, **kwargs)
        return self._call(self._layer((id(operation),), operation), operation.get_weights(), *args, **kwargs)

    def weighted(self, layer, weights, tensor):
        """Calls a stock layer that was made here and has these weights."""
        return self._call(layer, weights, tensor)

    def _sized(self, layer, tensor):
        """A tensor whose height TFLite's converter knows: Keras repeats pixels so that it does not, and then the
        converter refuses a convolution of one pixel behind it."""
        nearest = isinstance(layer, keras.layers.UpSampling2D) and layer.interpolation == "nearest"
        if not nearest or None in tensor.shape[1:]:
            return tensor
        return self.make(keras.layers.Reshape, f"{layer.name}_size", tensor.shape[1:])(tensor)

    def apply(self, source, layer, weights, tensor, **overrides):
        """Calls a copy of the stock layer, config overridden and with these weights, or merges it with what is there.

        Args:
            source: tuple that starts with the id of the unfolded layer; the same source is the same layer, so that
                shared layers stay shared.
        """
        if has_own_activation(layer) and "activation" not in overrides:
            with contextlib.suppress(Untraceable):  # the copy below is refused by the function's name
                return self._followed(source, layer, weights, tensor, overrides)
        if enlarging.is_linear_unsized(layer, tensor):
            return enlarging.enlarged(self, layer, tensor)
        if id(tensor) in self._producers and merge.is_absorbed(layer, tensor, **overrides):
            return self._merge(source, layer, weights, *self._producers[id(tensor)])
        if isinstance(layer, keras.layers.BatchNormalization):
            return self._written_out(layer, weights, tensor, overrides.get("axis", layer.axis))
        if id(tensor) in self._affine:
            source, weights, tensor, overrides = self._after_affine(source, layer, weights, tensor, overrides)
        new = self._layer(source, layer, **overrides)
        result = self._sized(new, self._call(new, weights, tensor))
        found = merge.scale_and_shift_before(layer, result.shape[-1])
        if found is not None and tensor.dtype == result.dtype:
            self._affine[id(result)] = (source, *found, tensor, result)
        if merge.can_absorb(new) and source[0] not in self._separate:
            self._producers[id(result)] = (source, new, weights, tensor, result)
        return result

    def _followed(self, source, layer, weights, tensor, overrides):
        """A layer without its activation, which is a function of the user's, and then what that does."""
        if not isinstance(layer, keras.layers.Activation):
            tensor = self.apply(source, layer, weights, tensor, **overrides, activation=None)
        return follow_function(keras.layers.Lambda(layer.activation, name=layer.name), (tensor,), {}, "folded")

    def _after_affine(self, source, layer, weights, tensor, overrides):
        """What `apply` is given, with the normalization before it absorbed where that is the same map."""
        before, scale, shift, given, _ = self._affine[id(tensor)]
        if not merge.can_absorb_before(layer, shift):
            return source, weights, tensor, overrides
        weights = merge.absorb_before(layer, weights, scale, shift)
        return (*source, *before), weights, given, {**overrides, "use_bias": True}

    def _merge(self, source, normalization, weights, into, layer, kernel_and_bias, tensor, _):
        scale, shift = merge.scale_and_shift(normalization, weights)
        merged = (*into, *source)
        if merged not in self._layers:
            stem = self._give_up_name(layer)
            self._layers[merged] = copies.copy(layer, self._scopes[-1].names.own(stem), self.dtype, use_bias=True)
        self._scopes[-1].merged.append((layer, into))
        new = self._layers[merged]
        kernel_and_bias = merge.absorb(layer, kernel_and_bias, scale, shift)
        result = self._call(new, kernel_and_bias, tensor)
        self._producers[id(result)] = (merged, new, kernel_and_bias, tensor, result)
        return result

    def _written_out(self, normalization, weights, tensor, axis):
        """The two numbers of every channel, taken here: converters take roots of some channels in another way."""
        shape = [1] * len(tensor.shape)
        shape[axis] = -1
        scale, shift = merge.scale_and_shift(normalization, weights)
        scale, shift = (value.reshape(shape).astype(self.dtype) for value in (scale, shift))
        # The shift first: the other way round TensorFlow's backend adds (1, n, 1, 1) to n channels, whatever its axis.
        return keras.ops.add(shift, keras.ops.multiply(tensor, scale))

    def _layer(self, source, layer, **overrides):
        if source not in self._layers:
            name = self._scopes[-1].names.own(layer.name)
            self._layers[source] = copies.copy(layer, name, self.dtype, **overrides)
        return self._layers[source]

    def _call(self, layer, weights, *args, **kwargs):
        """Weights wait until it is known which layers the model keeps."""
        if not layer.built:
            self._weights[id(layer)] = weights
        return layer(*args, **kwargs)

    def _give_up_name(self, layer):
        """Frees the name of a layer for the one that replaces it; returns it."""
        names, name = self._scopes[-1].names, layer.name
        layer.name = names.new(f"{name}_unmerged")
        names.free(name)
        return name


class _SafeNames(Names):
    """Names that TensorFlow can write into a graph, where those of the unfolded model are others."""

    def own(self, name):
        return super().own(name) if _SAFE.fullmatch(name) else self.new(name)

    def new(self, stem):
        safe = re.sub(r"[^A-Za-z0-9_.-]", "_", stem)
        return super().new(f"x{safe}" if safe[0] in "_-" else safe)


@dataclasses.dataclass
class _Scope:
    """Names in use in one model, and the merges made in it."""

    names: Names
    merged: list = dataclasses.field(default_factory=list)
