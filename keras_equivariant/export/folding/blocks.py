"""Group convolutions of a folded model in blocks: additions, one small 1x1 convolution per irrep, additions."""

import dataclasses
import functools
import math

import keras
import numpy as np
from keras import layers

from keras_equivariant.export.folding.coefficients import (
    Apart,
    Coefficients,
    Mapped,
    block_weights,
    summed,
    transformed,
)
from keras_equivariant.export.folding.emit import Emitter
from keras_equivariant.export.folding.folder import Folder
from keras_equivariant.export.folding.patches import matrix_of, patches, window_of
from keras_equivariant.graphs.calls import calls
from keras_equivariant.graphs.reading import as_functional, is_plain, walk
from keras_equivariant.groups import FieldType, Group
from keras_equivariant.kernels import fast_fourier
from keras_equivariant.stock.traits import has, is_elementwise, traits

LARGEST_ORDER = 120  # of a group whose transform is worth finding
_ROUNDING = 1e-6  # of the largest entry of a kernel


@dataclasses.dataclass(frozen=True)
class Pointwise:
    """A group convolution of a folded model as a matrix at every pixel, and what was made of it.

    Attributes:
        layer, group: its name, and the group's.
        fields, filters: of its input and output.
        taps: pixels of its window, 1 for a 1x1 convolution.
        pixels: of one example's output; None where the size is open.
        blocks: whether it was written in blocks.
        untransformed: whether it reads the Fourier coefficients of such layers as they are, without a transform.
        multiply_adds: at one pixel, as it was written.
        dense_multiply_adds: at one pixel, of the dense matrix.
    """

    layer: str
    group: str
    fields: int
    filters: int
    taps: int
    pixels: int | None
    blocks: bool
    multiply_adds: int
    dense_multiply_adds: int
    untransformed: bool = False


def in_blocks(model, groups, pays, made=None):
    """The folded model with blocks where they pay, and what became of each group convolution.

    A matrix, of a pixel or of a patch of them, is that of a group convolution if it commutes with the group, whichever
    layer it comes from.

    Args:
        model: a folded model.
        groups: the finite groups to look for.
        pays: function of a FastFourier, fields, filters, pixels and taps.
        made: dict of what was made already, by choice; a model of the same choice is not made again.

    Returns:
        The model itself where nothing was changed, else a new one; and a tuple of Pointwise.
    """
    found = _group_convolutions(model, groups)
    chosen, report = {}, []
    for layer, (group, kernel, window, pixels) in found.items():
        fourier, taps = fast_fourier(group), 1 if window is None else window.taps
        fields, filters = kernel.shape[1] // taps, kernel.shape[2]
        taken = bool(pays(fourier, fields, filters, pixels, taps))
        if taken:
            chosen[id(layer)] = fourier, kernel, group if window else None
        each = kernel.shape[1] * filters
        products, dense = (fourier.products if taken else group.order**2) * each, group.order**2 * each
        report.append(Pointwise(layer.name, group.name, fields, filters, taps, pixels, taken, products, dense))
    made = {} if made is None else made
    key = tuple(chosen)
    if key not in made:
        dtype = next(iter(found)).compute_dtype if chosen else None
        made[key] = _rewritten(model, chosen, dtype) if chosen else (model, frozenset())
    new, untransformed = made[key]
    direct = {layer.name for layer in found if id(layer) in untransformed}
    return new, tuple(dataclasses.replace(one, untransformed=one.layer in direct) for one in report)


def finite_groups(model):
    """The finite groups of moderate order that the layers of a model name, the largest first."""
    named = [getattr(layer, "group", None) for layer in walk(model)]
    types = [getattr(layer, name, None) for layer in walk(model) for name in ("in_type", "out_type")]
    named += [found.group for found in types if isinstance(found, FieldType)]
    finite = {group for group in named if isinstance(group, Group) and group.is_finite}
    some = [group for group in finite if 1 < group.order <= LARGEST_ORDER]
    return sorted(some, key=lambda group: (-group.order, group.name))


def _rewritten(model, chosen, dtype):
    try:
        return _run(model, chosen, dtype)
    except ValueError as error:
        if "unique" not in str(error):
            raise
        return _run(model, chosen, dtype, advance_names=True)


def _run(model, chosen, dtype, advance_names=False):
    emitter = Emitter(dtype, advance_names=advance_names)
    blocks = _Blocks(emitter, chosen)
    new = blocks.run(model, model.name)
    new.trainable = False
    return new, blocks.untransformed


def _group_convolutions(model, groups):
    """By layer, `(group, kernel (order, taps fields, filters), Window or None for one pixel, pixels)`."""
    found = {}
    for call in calls(model):
        layer = call.operation
        if isinstance(layer, keras.Model) and is_plain(layer):
            found |= _group_convolutions(as_functional(layer), groups)
        elif layer not in found and (one := _group_convolution(layer, call.inputs, groups)):
            found[layer] = one
    return found


def _group_convolution(layer, inputs, groups):
    window = None
    if not _is_dense(layer):
        window = window_of(layer, inputs[0].shape) if len(inputs) == 1 else None
        open_sizes = sum(size is None for size in inputs[0].shape[1:-1]) if window else 0
        if window is None or (len(window.sizes) == 3 and open_sizes > 1):
            return None
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    for group in groups:
        single = window is None or window.trivial
        matrix = kernel.reshape(kernel.shape[-2:]) if single else matrix_of(kernel, window, group)
        found = None if matrix is None else _on_group(matrix, group)
        if found is not None and _bias(layer, group.order) is not None:
            space = window.out if window else inputs[0].shape[1:-1]
            return group, found, None if single else window, None if None in space else math.prod(space)
    return None


def _is_dense(layer):
    return isinstance(layer, layers.Dense) and traits(layer) is not None


def _on_group(matrix, group):
    """The w of a matrix `M[s, s'] = w(s'^-1 s)` of field matrices; None for another matrix, or one that mixes none."""
    order = group.order
    if matrix.shape[0] % order or matrix.shape[1] % order:
        return None
    fields, filters = (size // order for size in matrix.shape)
    cells = matrix.reshape(order, fields, order, filters).transpose(2, 0, 1, 3)
    relative = group.cayley[group.inverses]
    largest = np.abs(matrix).max(initial=0)
    first = cells[0]
    if not largest or np.abs(cells - first[relative]).max() > _ROUNDING * largest or not first[1:].any():
        return None
    return np.mean(cells[np.arange(order)[:, None], group.cayley], axis=0, dtype=np.float64)


def _bias(layer, order):
    """One number for each field; None where the elements of the group have their own."""
    if not layer.use_bias:
        return np.zeros(layer.bias.shape if layer.bias is not None else layer.kernel.shape[-1] // order)
    bias = keras.ops.convert_to_numpy(layer.bias).reshape(order, -1)
    same = np.abs(bias - bias[0]).max() <= _ROUNDING * np.abs(bias).max()
    return np.mean(bias, axis=0, dtype=np.float64) if same else None


class _Blocks(Folder):
    """The same model with some layers in blocks.

    Args:
        chosen: dict from the id of a layer to its FastFourier, kernel, and the group where it has a window.

    Attributes:
        untransformed: ids of the layers that read the coefficients of others wherever they are called.
    """

    def __init__(self, emitter, chosen):
        super().__init__(emitter)
        self.chosen, self._made, self._called = chosen, {}, {}

    @property
    def untransformed(self):
        return frozenset(key for key, direct in self._called.items() if direct)

    def call(self, operation, args, kwargs):
        if id(operation) in self.chosen:
            made = self._in_blocks(operation, args[0])
            if made is not None:
                return made
        if len(args) == 1 and not kwargs and isinstance(args[0], Apart) and _is_function(operation):
            return Mapped(args[0], functools.partial(self.emitter.keep, operation))
        total = summed(operation, keras.tree.flatten((args, kwargs)))
        if total is not None:
            return total
        args, kwargs = keras.tree.map_structure(_values, (args, kwargs))
        return self.emitter.keep(operation, *args, **kwargs)

    def crossing(self, tensor):
        return _values(tensor)

    def outputs(self, tensors):
        return keras.tree.map_structure(_values, tensors)

    def _in_blocks(self, layer, x):
        fourier, _, group = self.chosen[id(layer)]
        window = None if isinstance(layer, layers.Dense) else window_of(layer, x.shape)
        if window is None and group:  # a shared layer, on open sizes
            return None
        apart = isinstance(x, Apart) and self._reads(layer, x)
        direct = apart and isinstance(x, Coefficients)
        self._called[id(layer)] = direct and self._called.get(id(layer), True)
        if direct:
            pieces = x.pieces
        elif apart and not x.joined:
            pieces = transformed(fourier, x.parts())
        else:
            pieces = transformed(fourier, self._at_elements(layer, _values(x), window))
        pieces = self._mixed(layer, pieces, direct)
        space = window.out if window else x.shape[1:-1]
        shape = (x.shape[0], *space, layer.kernel.shape[-1])
        y = Coefficients(fourier, pieces, shape, functools.partial(self._as_features, layer, space))
        if keras.activations.serialize(layer.activation) == "linear":
            return y
        activation = self.emitter.replace(layer, layers.Activation, layer.activation)
        return Mapped(y, activation) if is_elementwise(layer.activation) else activation(y.values())

    def _reads(self, layer, x):
        """Whether a layer takes features as they are: at one pixel, of its group, on as many axes."""
        fourier, _, group = self.chosen[id(layer)]
        return group is None and x.fourier is fourier and x.flat == isinstance(layer, layers.Conv3D)

    def _as_features(self, layer, space, y):
        if not isinstance(layer, layers.Conv3D):
            return y
        return self.emitter.make(layers.Reshape, layer.name, (*_one_open(space), y.shape[-1]))(y)

    def _flat(self, layer, x):
        """Volumes as images: runtimes have quick 1x1 convolutions of these."""
        if not isinstance(layer, layers.Conv3D):
            return x
        depth, *rest = x.shape[1:-1]
        rest = -1 if None in rest else math.prod(rest)
        shape = (-1 if depth is None else depth, rest, x.shape[-1])
        return self.emitter.make(layers.Reshape, f"{layer.name}_pixels", shape)(x)

    def _at_elements(self, layer, x, window):
        """What a 1x1 convolution reads, for every element of the group."""
        fourier, _, group = self.chosen[id(layer)]
        if group is None:
            return keras.ops.split(self._flat(layer, x), fourier.order, axis=-1)
        parts = patches(x, window, group, self.emitter, layer.name)
        return [self._flat(layer, part) for part in parts]

    def _mixed(self, layer, pieces, direct):
        fourier, mixed = self.chosen[id(layer)][0], []
        pieces = iter(pieces)
        for block, convolution, weights in zip(fourier.blocks, *self._convolutions(layer, direct), strict=True):
            mixed += [self.emitter.weighted(convolution, weights, next(pieces)) for _ in range(block.rows)]
        return mixed

    def _convolutions(self, layer, direct):
        """For each block its stock layer, and its weights; made once for all calls of the layer on the same input."""
        if (id(layer), direct) not in self._made:
            fourier, kernel, *_ = self.chosen[id(layer)]
            made = []
            for number, block in enumerate(fourier.blocks):
                weights = block_weights(block, kernel, direct)
                bias = layer.use_bias and block.trivial
                convolution = self._convolution(layer, number, block.dim * kernel.shape[2], bias)
                if not isinstance(layer, layers.Dense):
                    weights = weights[None, None]
                made.append((convolution, [weights, _bias(layer, fourier.order)] if bias else [weights]))
            self._made[id(layer), direct] = tuple(zip(*made, strict=True))
        return self._made[id(layer), direct]

    def _convolution(self, layer, number, channels, bias):
        stem = f"{layer.name}_block_{number}"
        if isinstance(layer, layers.Dense):
            return self.emitter.make(layers.Dense, stem, channels, use_bias=bias)
        return self.emitter.make(layers.Conv2D, stem, channels, 1, use_bias=bias)


def _values(x):
    return x.values() if isinstance(x, Apart) else x


def _is_function(operation):
    """Whether a layer is a function of each number by itself."""
    if not has(operation, "function"):
        return False
    return not isinstance(operation, layers.Activation) or is_elementwise(operation.activation)


def _one_open(space):
    return tuple(-1 if size is None else size for size in space)
