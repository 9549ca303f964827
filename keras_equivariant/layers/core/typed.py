"""What the layers on field types share: the types, and that nothing untyped came between; not a layer of its own."""

import functools
import operator

import keras

from keras_equivariant.groups import FieldType

# Layers that act on every channel alike and linearly, or not at all, commute with any representation.
LINEAR = (
    *("Add", "Average", "AveragePooling2D", "Cropping2D", "GlobalAveragePooling2D", "Identity", "Subtract"),
    *("UpSampling2D", "ZeroPadding2D"),
    *("AveragePooling3D", "Cropping3D", "GlobalAveragePooling3D", "UpSampling3D", "ZeroPadding3D"),
)
# And these commute with permutations of the channels as well.
POINTWISE = (
    *("Activation", "ELU", "GlobalMaxPooling2D", "LeakyReLU", "MaxPooling2D", "Maximum", "Minimum", "Multiply", "ReLU"),
    *("GlobalMaxPooling3D", "MaxPooling3D"),
)
REMEDIES = {
    "Activation": "NormActivation, GatedActivation or FourierActivation",
    "ReLU": "NormActivation, GatedActivation or FourierActivation",
    "BatchNormalization": "SteerableBatchNormalization",
    "LayerNormalization": "SteerableLayerNormalization",
    "GroupNormalization": "SteerableGroupNormalization",
    "Dense": "SteerableDense, or NormPooling before it",
    "Dropout": "FieldDropout",
    **{
        name.format(rank): remedy.format(rank)
        for rank in (2, 3)
        for name, remedy in {
            "SpatialDropout{}D": "FieldDropout",
            "MaxPooling{}D": "NormMaxPooling{0}D or AveragePooling{0}D",
            "GlobalMaxPooling{}D": "NormPooling before it",
            "Conv{}D": "SteerableConv{}D",
            "Conv{}DTranspose": "SteerableConv{}DTranspose",
        }.items()
    },
}


def as_type(value, group, argument):
    """The FieldType that a layer's argument gives; ValueError names the argument."""
    try:
        if isinstance(value, FieldType) and group is None:
            return value
        if group is None:
            raise ValueError(f'A field type in words needs the `group`. Received: {value!r}; add e.g. group="D4"')
        return FieldType.parse(value, group)
    except ValueError as error:
        raise ValueError(f"`{argument}`: {error}") from None


class Typed:
    """Mixin of layers whose input, and mostly output, has a field type.

    Subclasses set `in_type` and, where there is one, `out_type`.
    """

    out_type: FieldType | None = None

    @property
    def group(self):
        return self.in_type.group

    def __call__(self, inputs, *args, **kwargs):
        for tensor in keras.tree.flatten(inputs):
            if isinstance(tensor, keras.KerasTensor):
                self._check_source(tensor)
        return super().__call__(inputs, *args, **kwargs)

    def _check_channels(self, input_shape, rank=None):
        """ValueError unless the features have the channels of `in_type`."""
        if (rank is not None and len(input_shape) != rank) or input_shape[-1] != self.in_type.size:
            space = {None: "...", 2: "B", 4: "B, H, W", 5: "B, D, H, W"}[rank]
            raise ValueError(
                f'{type(self).__name__} takes features ({space}, {self.in_type.size}) of type "{self.in_type}" on '
                f"{self.group.name}. Received: input_shape={tuple(input_shape)}"
            )

    def _check_source(self, tensor):
        """ValueError where a symbolic tensor is known to be of another type, or of none any more."""
        source = source_type(tensor)
        if source is None or source == self.in_type:
            return
        if not isinstance(source, str) and source.scalar and self.in_type.scalar and source.group == self.group:
            return  # of another size at most, which `_check_channels` notices; blocks of scalars may be cut anywhere
        if isinstance(source, str):
            raise ValueError(f"{type(self).__name__} takes features of a field type. Received: {source}")
        raise ValueError(
            f'{type(self).__name__} takes features of type "{self.in_type}" on {self.group.name}. Received: features '
            f'of type "{source}" on {source.group.name}; give the layer in_type="{source}"'
        )


def source_type(tensor):
    """What a symbolic tensor transforms as, by the layers that made it.

    Returns:
        A FieldType; a sentence where a stock layer broke the type; None where nothing is known.
    """
    history = getattr(tensor, "_keras_history", None)
    operation = getattr(history, "operation", None)
    if operation is None or isinstance(operation, keras.layers.InputLayer):
        return None
    own = getattr(operation, "out_type", None)
    if own is not None:
        return own
    if isinstance(operation, (Typed, keras.Model)):
        return None
    node = operation._inbound_nodes[history.node_index]
    inputs = [t for t in keras.tree.flatten(node.arguments.keras_tensors)]
    types = [source_type(t) for t in inputs]
    broken = next((t for t in types if isinstance(t, str)), None)
    known = [t for t in types if t is not None]
    if broken or not known or not isinstance(known[0], FieldType):
        return broken
    name = type(operation).__name__
    kept = keeps_type(name, operation, known[0], len(inputs[0].shape))
    if name == "Concatenate" and kept:
        return functools.reduce(operator.add, known) if len(known) == len(inputs) else None
    if len(set(known)) > 1:
        return f"the {name} of features of types {' and '.join(map(repr, dict.fromkeys(map(str, known))))}"
    if kept:
        return known[0]
    if known[0].scalar:
        return None  # an image, on which stock layers work
    return f'what the layer "{operation.name}" ({name}) made of them: it {mixes(name, known[0])}'


def keeps_type(name, layer, field_type, rank):
    """Whether a layer that knows nothing of field types commutes with one.

    Args:
        name: its class's name, of Keras's layers and operations or of this package.
        layer: the layer.
        field_type: the FieldType of what goes in.
        rank: number of its axes.
    """
    linear = getattr(getattr(layer, "activation", None), "__name__", "linear") == "linear"
    if name in LINEAR or (name in ("Activation", "Dropout") and linear and not getattr(layer, "rate", 0)):
        return True
    if name == "Concatenate":
        return layer.axis in (-1, rank - 1)
    return field_type.permutation and name in POINTWISE


def mixes(name, field_type):
    """The sentence that says that a layer does not commute with a field type, and what to use instead."""
    remedy = REMEDIES.get(name, "NormPooling before it, for features that do not turn")
    return f'mixes the components of features of type "{field_type}" on {field_type.group.name}; use {remedy}'


def check_activation(activation, field_type):
    """ValueError unless a pointwise activation commutes with the type."""
    if getattr(activation, "__name__", "") == "linear" or field_type.permutation:
        return
    moved = next(b.representation.name for b in field_type.blocks if not b.representation.permutation)
    raise ValueError(
        "A pointwise activation commutes only with fields whose components are permuted: scalars, regular and "
        f'quotient fields. Received: activation={getattr(activation, "__name__", activation)!r} on "{field_type}", '
        f'in which "{moved}" mixes its components; use NormActivation, GatedActivation or FourierActivation'
    )


def layout(field_type):
    """The `(dim, multiplicity)` of each block, as the functions of `ops` take it."""
    return tuple((block.dim, block.multiplicity) for block in field_type.blocks)


def scalar_blocks(field_type):
    """For each block whether it holds scalars, fields of one component that no element moves."""
    return tuple(block.dim == 1 and len(block.invariants) == 1 for block in field_type.blocks)
