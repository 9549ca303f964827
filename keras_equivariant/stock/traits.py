"""The traits of Keras's own layers, operations and activations: one table, a row for each class.

Whoever asks what a stock layer is asks here; `stock.laws` says what follows for the layout of features.
"""

import dataclasses

import keras


@dataclasses.dataclass(frozen=True)
class Traits:
    """What is true of a stock layer whatever its options.

    Attributes:
        kind: what it does, and so its law: `identity` (nothing at inference), `function` (of each number), `merge`
            (a function of the same number in several tensors), `scale`, `slopes`, `softmax`, `unit`, `normalization`,
            `gain` (a factor for each channel), `dense`, `convolution`, `pooling`, `adaptive` (pooling to a size),
            `upsampling`, `border`, `resizing`, `global`, `join`, `flatten` or `reshape`.
        linear: whether it is linear and treats all channels alike, so that it commutes with any representation.
        random: whether it does something else while training.
        rank: axes of space that it works on; None for any.
        in_specs: whether a spec may name it.
        on_points: whether it acts on each point's values by themselves.
        masked: whether its statistics need to know which points there are.
        of_images: whether it takes images of four axes only.
        alone: whether it is known to treat the examples of a batch each by itself, whatever its options.
        absorbs: whether it is an affine map whose output channels a scale and a shift can be absorbed into.
        per_channel: whether its weights are numbers for each channel.
        input_axis: where its kernel has the input channels; None without a kernel.
        remedy: for features of a field type, what to use instead.
    """

    kind: str
    linear: bool = False
    random: bool = False
    rank: int | None = None
    in_specs: bool = False
    on_points: bool = False
    masked: bool = False
    of_images: bool = False
    alone: bool = False
    absorbs: bool = False
    per_channel: bool = False
    input_axis: int | None = None
    remedy: str = ""

    @property
    def transposed(self):
        """Whether it is a transposed convolution, whose kernel has the input channels last."""
        return self.input_axis == -1

    @property
    def channelwise(self):
        """Whether every output channel follows from the input channel of its number."""
        return self.per_channel or self.kind in _CHANNELWISE

    @property
    def merges(self):
        """Whether it takes several tensors."""
        return self.kind in ("merge", "join")


_CHANNELWISE = ("function", "identity", "pooling", "adaptive", "upsampling", "resizing", "border")
_ACTIVATIONS = "NormActivation, GatedActivation or FourierActivation"
_SPEC = {"in_specs": True}
_EVERYWHERE = {"in_specs": True, "on_points": True}
_ALONE = {"alone": True}

_ROWS = {
    # Functions of each number by itself.
    "Activation": Traits("function", **_EVERYWHERE, **_ALONE, remedy=_ACTIVATIONS),
    "ReLU": Traits("function", **_EVERYWHERE, **_ALONE, remedy=_ACTIVATIONS),
    "LeakyReLU": Traits("function", **_EVERYWHERE, **_ALONE, remedy=_ACTIVATIONS),
    "ELU": Traits("function", **_EVERYWHERE, **_ALONE, remedy=_ACTIVATIONS),
    "PReLU": Traits("slopes", **_SPEC, remedy=_ACTIVATIONS),
    "Softmax": Traits("softmax", **_EVERYWHERE),
    "Rescaling": Traits("scale", **_EVERYWHERE, **_ALONE, remedy="one number as its scale, and no offset"),
    # Nothing at inference.
    "Identity": Traits("identity", linear=True, **_EVERYWHERE),
    "ActivityRegularization": Traits("identity", linear=True),
    "Dropout": Traits("identity", random=True, **_EVERYWHERE, **_ALONE, remedy="FieldDropout"),
    "AlphaDropout": Traits("identity", random=True),
    "GaussianDropout": Traits("identity", random=True, **_EVERYWHERE, **_ALONE),
    "GaussianNoise": Traits("identity", random=True, **_EVERYWHERE, **_ALONE),
    "SpatialDropout1D": Traits("identity", random=True, rank=1),
    "SpatialDropout2D": Traits("identity", random=True, rank=2, **_SPEC, **_ALONE, remedy="FieldDropout"),
    "SpatialDropout3D": Traits("identity", random=True, rank=3, **_SPEC, **_ALONE, remedy="FieldDropout"),
    **dict.fromkeys(
        ("RandomBrightness", "RandomContrast", "RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom"),
        Traits("identity", random=True, of_images=True),
    ),
    # Several tensors.
    "Add": Traits("merge", linear=True, **_EVERYWHERE, **_ALONE),
    "Average": Traits("merge", linear=True, **_EVERYWHERE),
    "Subtract": Traits("merge", linear=True),
    "Multiply": Traits("merge", **_EVERYWHERE),
    "Maximum": Traits("merge", **_EVERYWHERE),
    "Minimum": Traits("merge", **_EVERYWHERE),
    "Concatenate": Traits("join", **_EVERYWHERE),
    # Maps of the channels.
    "Dense": Traits("dense", **_EVERYWHERE, **_ALONE, absorbs=True, remedy="SteerableDense, or NormPooling before it"),
    # Statistics.
    "BatchNormalization": Traits(
        "normalization", **_EVERYWHERE, masked=True, per_channel=True, remedy="SteerableBatchNormalization"
    ),
    "GroupNormalization": Traits("normalization", **_SPEC, remedy="SteerableGroupNormalization"),
    "LayerNormalization": Traits("normalization", **_EVERYWHERE, remedy="SteerableLayerNormalization"),
    "RMSNormalization": Traits("normalization", remedy="SteerableLayerNormalization"),
    "Normalization": Traits("normalization", **_EVERYWHERE, remedy="SteerableBatchNormalization"),
    "UnitNormalization": Traits("unit", **_EVERYWHERE, remedy="axis=-1"),
    # Images resampled or cut to a size.
    "Resizing": Traits("resizing", linear=True, rank=2, **_ALONE),
    "CenterCrop": Traits("resizing", linear=True, rank=2, **_ALONE),
    # Shapes.
    "Flatten": Traits("flatten", **_SPEC, **_ALONE),
    "Reshape": Traits("reshape", **_SPEC, **_ALONE),
}


def _of_rank(rank, specs):
    """The rows of the layers with axes of space in their names; `specs` are the stems that a spec may name."""
    volume = {"rank": rank}
    forward, backward = {**volume, "absorbs": True}, {**volume, "absorbs": True, "input_axis": -1}
    steerable = f"SteerableConv{rank}D"
    norm = f"NormMaxPooling{rank}D or AveragePooling{rank}D"
    alone = {"alone": True} if rank > 1 else {}
    rows = {
        "Conv{}D": Traits("convolution", **forward, alone=True, input_axis=-2, remedy=steerable),
        "Conv{}DTranspose": Traits("convolution", **backward, **alone, remedy=f"{steerable}Transpose"),
        "MaxPooling{}D": Traits("pooling", **volume, **alone, remedy=norm),
        "AveragePooling{}D": Traits("pooling", linear=True, **volume, **alone),
        "AdaptiveMaxPooling{}D": Traits("adaptive", **volume, **alone, remedy=norm),
        "AdaptiveAveragePooling{}D": Traits("adaptive", linear=True, **volume, **alone),
        "GlobalMaxPooling{}D": Traits("global", **volume, **alone, remedy="NormPooling before it"),
        "GlobalAveragePooling{}D": Traits("global", linear=True, **volume, **alone),
        "UpSampling{}D": Traits("upsampling", linear=True, **volume, **alone),
        "ZeroPadding{}D": Traits("border", linear=True, **volume, **alone),
        "Cropping{}D": Traits("border", linear=True, **volume, **alone),
    }
    if rank < 3:
        rows["DepthwiseConv{}D"] = Traits("convolution", **forward, **alone, remedy=steerable)
        rows["SeparableConv{}D"] = Traits("convolution", **volume, **alone, remedy=steerable)
    return {
        stem.format(rank): dataclasses.replace(row, in_specs=stem.replace("{}D", "") in specs)
        for stem, row in rows.items()
    }


# Where ours and Keras's have one name (MaxPooling2D, UpSampling2D, …) the spec gets ours.
_IN_SPECS = (
    *("Conv", "ConvTranspose", "Cropping", "GlobalAveragePooling", "GlobalMaxPooling", "ZeroPadding"),
    *("DepthwiseConv", "SeparableConv"),
)
_ROWS |= {**_of_rank(1, ()), **_of_rank(2, _IN_SPECS), **_of_rank(3, _IN_SPECS)}

# Those that this Keras has: adaptive pooling came after 3.12.
TABLE = {getattr(keras.layers, name): row for name, row in _ROWS.items() if hasattr(keras.layers, name)}

# Layers that the networks of keras.applications have, and that have no public name.
_OF_APPLICATIONS = {
    "LayerScale": Traits("gain", per_channel=True, **_ALONE, remedy="SteerableBatchNormalization"),
    "StochasticDepth": Traits("identity", random=True, **_ALONE),
}


def traits(layer):
    """The row of a layer or class: one of Keras's own, or of this package and derived from one; else None."""
    cls = layer if isinstance(layer, type) else type(layer)
    if cls in TABLE:
        return TABLE[cls]
    if cls.__module__.startswith("keras."):
        return _OF_APPLICATIONS.get(cls.__name__)
    own = cls.__module__.split(".")[0] == __name__.split(".")[0]
    return next((TABLE[base] for base in cls.__mro__ if base in TABLE), None) if own else None


def has(layer, kind):
    """Whether a layer is a stock one of this kind."""
    row = traits(layer)
    return row is not None and row.kind == kind


def spec_names(merging=False):
    """Names of the stock layers that a spec may name, or of those among them that take several tensors."""
    return tuple(sorted(cls.__name__ for cls, row in TABLE.items() if row.in_specs and (row.merges or not merging)))


# Activation functions that treat every number by itself, whatever axis it lies on; ODD are those with f(-x) = -f(x).
ODD = ("linear", "tanh", "hard_tanh", "tanh_shrink", "softsign", "soft_shrink", "hard_shrink")
ELEMENTWISE = (
    *ODD,
    *("relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "mish", "exponential"),
    *("sigmoid", "hard_sigmoid", "hard_silu", "log_sigmoid", "softplus", "squareplus"),
)
# And those that look at all numbers of the last axis, and treat them alike.
SYMMETRIC = ("softmax", "log_softmax", "sparsemax")
SOFTMAX_AXES = 5
# And those that make one channel of two.
HALVING = ("glu",)

# Operations of keras.ops by their class's name, of all numbers of an axis, and their names as activations.
SYMMETRIC_OPERATIONS = {"Softmax": "softmax", "LogSoftmax": "log_softmax", "Sparsemax": "sparsemax"}
# Of each number by itself.
LINEAR_OPERATIONS = ("Add", "Negative", "Subtract")
SCALING_OPERATIONS = ("Divide", "Multiply", "TrueDivide")
ODD_OPERATIONS = (
    *("Arctan", "Arcsinh", "Erf", "HardShrink", "HardTanh", "Negative", "Sign", "Sin", "Sinh", "SoftShrink"),
    *("Softsign", "Tan", "Tanh", "TanhShrink"),
)
ELEMENTWISE_OPERATIONS = {
    *(*LINEAR_OPERATIONS, *SCALING_OPERATIONS, *ODD_OPERATIONS),
    *("Abs", "Absolute", "Clip", "Exp", "Log", "Log1p", "Maximum", "Minimum", "Power", "Reciprocal", "Sqrt", "Square"),
    *("Cos", "Cosh", "Expm1", "Log10", "Log2", "Logaddexp", "Rsqrt", "Where"),
    *("Equal", "Greater", "GreaterEqual", "Less", "LessEqual", "LogicalAnd", "LogicalNot", "LogicalOr", "NotEqual"),
    *(
        "Where",
        "Celu",
        "Elu",
        "Gelu",
        "HardSigmoid",
        "HardSilu",
        "LeakyRelu",
        "LogSigmoid",
        "Mish",
        "Relu",
        "Relu6",
        "Selu",
    ),
    *("Sigmoid", "Silu", "Softplus", "SparsePlus", "SparseSigmoid", "Squareplus", "Threshold"),
    "ReLU",  # what keras.activations.relu makes, where keras.ops.relu makes Relu
}


def activation_name(activation):
    """The name of an activation function of Keras; None for all others."""
    own = getattr(activation, "__name__", "")
    if getattr(keras.activations, own, None) is activation:
        return own  # to serialize something Keras looks for TensorFlow
    name = keras.activations.serialize(activation)
    return name if isinstance(name, str) else None


def needs_few_axes(activation):
    """Whether an activation takes `SOFTMAX_AXES` at the most on TensorFlow."""
    return activation is not None and activation_name(activation) == "softmax"


def is_linear(activation):
    """Whether it is no activation at all."""
    return activation is None or activation_name(activation) == "linear"


def is_elementwise(activation):
    """Whether an activation function treats every number by itself, whatever axis it lies on."""
    return activation_name(activation) in ELEMENTWISE


def is_odd(activation):
    """Whether it is one of Keras's that treats every number by itself and x and -x alike but for the sign."""
    return activation_name(activation) in ODD


def treats_examples_alone(operation):
    """Whether what an operation makes of an example is known not to depend on the others of the batch, nor adds a loss.

    So it is of stock layers that have no option to work along the batch, and of this package's but for those with
    statistics, as batch normalization.
    """
    if not _is_own(operation) and not getattr(TABLE.get(type(operation)), "alone", False):
        return False
    if getattr(operation, "activity_regularizer", None) is not None:
        return False
    return all(map(is_seed, operation.non_trainable_variables))


def infers_examples_alone(operation):
    """Whether what an operation answers for an example at inference is known not to depend on the others of the batch.

    So it is of this package's layers and of the stock ones, but for those that work along the axis of the batch, and
    those with a function of the user's own. What layers hold inside is asked by itself.
    """
    functions = [getattr(operation, name, None) for name in ("activation", "kernel_activation")]
    if any(callable(f) and getattr(f, "__module__", "").split(".")[0] not in ("keras", _PACKAGE) for f in functions):
        return False
    if _is_own(operation) or has(operation, "identity"):
        return True
    axes = keras.tree.flatten(getattr(operation, "axis", -1))
    return type(operation) in TABLE and all(axis is not None and (axis == -1 or axis > 0) for axis in axes)


def _is_own(operation):
    return isinstance(operation, keras.layers.Layer) and type(operation).__module__.split(".")[0] == _PACKAGE


def is_seed(variable):
    """Whether a variable is the state of a generator of random numbers: its seed and a counter."""
    return "seed_generator" in variable.path


_PACKAGE = __name__.split(".")[0]
