"""The twin of a network, call by call."""

import warnings

import keras

from keras_equivariant import layers
from keras_equivariant.conversion import reshaping, rules, spatial
from keras_equivariant.conversion.kinds import FLAT, IMAGE, INVARIANT, REGULAR, SPLIT
from keras_equivariant.conversion.problems import RULE, STILL, NoCounterpart, describe
from keras_equivariant.conversion.report import ConvertedLayer
from keras_equivariant.conversion.windows import Exact
from keras_equivariant.graphs.calls import call_of, fresh, is_empty
from keras_equivariant.graphs.rewriting import Names
from keras_equivariant.graphs.weights import DeferredWeights, clone_operation, clone_with
from keras_equivariant.layers.core.base import stock
from keras_equivariant.stock.traits import traits


class Converter:
    """One walk through a network.

    Args:
        graph: a functional model without models inside.
        plan: its Plan.
        widths: function from Channels to their number in the twin.
        group: the symmetry.
        strict: whether windows that do not treat all sides alike are replaced.
        replacements: dict from classes of layers to functions of a layer that give the layer in its place.

    Attributes:
        made: dict from layers of the original to the layers in their place, by what they do: "" is the one of its name.
    """

    def __init__(self, graph, plan, widths, group, strict, replacements):
        self.graph, self.plan, self.widths, self.group, self.strict = graph, plan, widths, group, strict
        self.replacements = replacements
        self.exact = Exact(group, search=strict)
        self.rank = plan.rank
        self.names = Names(operation.name for operation in graph.operations)
        self.made, self._rows, self._layers = {}, {}, {}
        self._kinds = {}

    def run(self, name, outputs="pooled"):
        """The twin."""
        tensors = {}
        for tensor in self.graph.inputs:
            tensors[id(tensor)] = self.mark(fresh(tensor), self.plan[tensor].kind)
        for call in self.plan.calls:
            args, kwargs = keras.tree.map_structure(lambda x: tensors.get(id(x), x), (call.args, call.kwargs))
            kwargs = {key: value for key, value in kwargs.items() if not is_empty(value)}
            self._begin(call)
            try:
                result = self._convert(call, args, kwargs)
            except NoCounterpart as error:
                text = f"{RULE} Received: {describe(call.operation)} {error.reason}"
                raise NoCounterpart(text, error.remedy) from None
            results = keras.tree.flatten(result)
            self._end(call, results[0])
            tensors.update(zip(map(id, call.outputs), results, strict=True))
        found = [self._output(tensors[id(tensor)], tensor, outputs) for tensor in self.graph.outputs]
        outputs = keras.tree.pack_sequence_as(self.graph.output, found)
        inputs = keras.tree.map_structure(lambda x: tensors[id(x)], self.graph.input)
        return keras.Model(inputs, outputs, name=name)

    @property
    def rows(self):
        """A ConvertedLayer for each layer of the original."""
        return tuple(self._rows.values())

    def _convert(self, call, args, kwargs):
        operation = call.operation
        for cls, function in self.replacements.items():
            if isinstance(operation, cls):
                new = self.make(operation, "replaced", lambda name, make=function: _made(make, operation), name=None)
                return self.mark(new(*args, **kwargs), self.kind(args[0]))
        if operation in self.plan.free:
            return rules.free(self, call, args, kwargs)
        if id(call.outputs[0]) in self.plan.heads:
            return reshaping.as_it_is(self, call, args, kwargs)
        if SPLIT in (self.plan[call.outputs[0]].kind, *(self.plan[x].kind for x in call.inputs)):
            return reshaping.split(self, call, args, kwargs)
        if isinstance(operation, keras.layers.MultiHeadAttention):
            return rules.attention(self, call, args, kwargs)
        if type(operation).__name__ == "Pad":
            return spatial.padding(self, call, args, kwargs)
        row = traits(operation)
        table = spatial.RULES if row and row.kind in spatial.RULES else rules.RULES
        rule = table.get(row.kind if row else None, rules.operation)
        return rule(self, call, args, kwargs)

    def _output(self, tensor, original, outputs):
        kind = self.kind(tensor)
        if self.group.order > 1 and self.plan.is_still_map(original):
            self._still(f"{RULE} Received: {describe(call_of(original).operation)} {STILL[0]}")
        if kind == FLAT:
            raise NoCounterpart("A flattened map is no invariant output", "use GlobalAveragePooling before the end")
        if kind == SPLIT:
            raise NoCounterpart(*reshaping.OUTPUT)
        if kind == REGULAR and outputs == "pooled":
            return self.pool(tensor, "max", "output")
        return tensor

    def _still(self, text):
        if self.strict:
            raise NoCounterpart(text, f"{STILL[1]}; strict=False keeps it, the same for all orientations")
        warnings.warn(f"{text}. With strict=False it stays the same for all orientations", stacklevel=5)

    # What the rules build with.

    def kind(self, tensor):
        """What it is, one of `kinds`."""
        return self._kinds[id(tensor)][1]

    def mark(self, tensor, kind):
        """Notes what a tensor is, and returns it."""
        self._kinds[id(tensor)] = tensor, kind  # kept, so that no other tensor gets its id
        return tensor

    def space(self, tensor):
        """Sizes of space."""
        return tuple(tensor.shape[1 : 1 + self.rank])

    def filters(self, tensor):
        """Number of channels of a tensor of the original in the twin."""
        return self.widths(self.plan[tensor].channels)

    def ours(self, stem):
        """The class of this package with this stem, for the rank of space: `GroupConv2D`."""
        suffix = f"{self.rank}D"
        return getattr(layers, stem.replace("Transpose", "") + suffix + "Transpose" * stem.endswith("Transpose"))

    def stock(self, stem):
        """What makes the stock layer with this stem, for the rank of space."""
        return stock(stem, self.rank)

    def make(self, operation, role, build, name=""):
        """The new layer for one of the original and a role, made once: shared layers stay shared.

        Args:
            operation: the layer of the original.
            role: what tells several new layers for one apart; "" for the one that has its name.
            build: function from a name to the new layer.
            name: None where the layer has a name already.
        """
        key = (id(operation), role)
        if key not in self._layers:
            stem = operation.name if not role else f"{operation.name}_{role}"
            chosen = None if name is None else self.names.own(stem) if not role else self.names.new(stem)
            layer = build(chosen)
            self.made.setdefault(operation, {})[role] = layer
            self._layers[key] = self._normalized(operation, layer)
        layer = self._layers[key]
        inner = layer if isinstance(layer, keras.layers.Layer) else layer._layer
        self._note(type(inner).__name__)
        return layer

    def _normalized(self, operation, layer):
        """The layer with the spectral normalization that the original's has."""
        wrapper = self.plan.normalized.get(operation)
        if wrapper is None or not hasattr(layer, "kernel_initializer"):
            return layer
        self.because("normalized as before")
        name = self.names.own(wrapper.name)
        return keras.layers.SpectralNormalization(layer, power_iterations=wrapper.power_iterations, name=name)

    def copy(self, operation, role="", keep_weights=False, **changes):
        """A layer with the configuration of a stock one, some arguments changed."""
        weights = operation.get_weights() if keep_weights else None

        def build(name):
            layer = clone_with(operation, name, **changes)
            return DeferredWeights(layer, weights) if keep_weights else layer

        return self.make(operation, role, build)

    def again(self, operation, *args, **kwargs):
        """An operation of keras.ops on new tensors."""
        self._note(type(operation).__name__)
        return clone_operation(operation)(*args, **kwargs)

    def pool(self, tensor, mode, stem):
        """Features without the group axis."""
        name = self.names.new(f"{stem}_group_pooling")
        self._note("GroupPooling")
        layer = layers.GroupPooling(mode, group=self.group, name=name, dtype=_policy(tensor))
        return self.mark(layer(tensor), IMAGE if len(tensor.shape) == self.rank + 3 else INVARIANT)

    def lift(self, tensor, stem):
        """Features that are constant on the group."""
        if self.kind(tensor) == REGULAR:
            return tensor
        if self.kind(tensor) == INVARIANT:
            shape = (*(1,) * self.rank, tensor.shape[-1])
            tensor = keras.layers.Reshape(shape, name=self.names.new(f"{stem}_map"))(tensor)
        self._note("GroupRepeat")
        layer = layers.GroupRepeat(self.group, name=self.names.new(f"{stem}_repeat"), dtype=_policy(tensor))
        return self.mark(layer(tensor), REGULAR)

    def view(self, tensor, kind):
        """The same numbers as a tensor of its own, of another kind."""
        return self.mark(keras.layers.Identity(name=self.names.new("view"))(tensor), kind)

    def square(self, sizes, layer):
        """The sizes of a map that a dense layer sees as a whole."""
        if not self.exact.fits_shape(sizes):
            raise NoCounterpart(
                f"sees all of a map of {' x '.join(map(str, sizes))} pixels, whose axes {self.group.name} swaps",
                "crop the input to equal sizes, or pool with GlobalAveragePooling",
            )
        return sizes

    def check_sizes(self, tensors):
        """NoCounterpart unless tensors can be merged."""
        sizes = [tensor.shape[1:-1] for tensor in tensors]
        if len({len(one) for one in sizes}) > 1 or not rules.broadcasts(sizes):
            raise NoCounterpart(
                f"merges maps that symmetric windows left with other sizes, {' and '.join(map(str, sizes))}",
                'use padding="same" before it, or strict=False',
            )

    def because(self, text):
        """Notes why the current layer was changed."""
        if text not in self._why:
            self._why.append(text)

    def _note(self, name):
        if self._current is not None:
            self._current.append(name)

    _current = None
    _why = ()

    def _begin(self, call):
        self._current, self._why = [], []

    def _end(self, call, result):
        operation = call.operation
        if operation not in self._rows:
            shape = tuple(result.shape[1:])
            row = (operation.name, type(operation).__name__, tuple(self._current), shape, "; ".join(self._why))
            self._rows[operation] = ConvertedLayer(*row)
        self._current = None


def _made(function, layer):
    """The layer that the user's function puts in the place of a layer."""
    new = function(layer)
    if not isinstance(new, keras.layers.Layer):
        raise TypeError(
            f'`replacements` must give a layer for each layer. Received: {new!r} for "{layer.name}" '
            f"({type(layer).__name__}); return keras.layers.Identity() to leave it out"
        )
    return new


def _policy(tensor):
    """The precision of a layer without weights: that of what it is given."""
    return tensor.dtype
