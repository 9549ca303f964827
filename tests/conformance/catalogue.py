"""Every layer with every option, once. Each property test runs over the whole catalogue.

A new layer is added here and buys all of them.
"""

import dataclasses

import keras

from keras_equivariant import FieldType, groups, layers


@dataclasses.dataclass(frozen=True)
class Case:
    """A layer, what it takes, and the law it keeps.

    `arguments` make `layer`; `shape` is one sample's; the layouts are those of `groups.act`, for typed layers field
    types. `stock`, where given, makes the stock Keras layer that the layer must equal on the trivial group.
    """

    layer: type
    arguments: dict
    shape: tuple
    group: str
    into: str = "regular"
    out: str = "regular"
    stock: type | None = None

    def make(self, **kwargs):
        return self.layer(**self.arguments, **kwargs)

    @property
    def finite_group(self):
        """The group, or of a continuous one the elements that map the pixel grid onto itself."""
        group = groups.get(self.group)
        return group.on_grid if isinstance(group, groups.ContinuousGroup) else group

    def connect(self, layer, inputs):
        """The output of the layer, as one tensor."""
        return layer(inputs)

    @property
    def random(self):
        """Whether training draws random numbers, which are others under XLA and on every backend."""
        return self.arguments.get("rate", 0) > 0

    @property
    def jumps(self):
        """Whether it takes the largest of several numbers' directions, which rounding may change."""
        return self.layer is layers.VectorFieldActivation

    def __str__(self):
        words = [f"{k}={v}" for k, v in self.arguments.items() if k not in ("filters", "group", "bias_initializer")]
        return f"{self.layer.__name__}({', '.join([*words, self.group, 'x'.join(map(str, self.shape))])})"


def act(x, group, element, layout):
    """`groups.act`, or the layout's own action where it is a function."""
    return layout(x, group, element) if callable(layout) else groups.act(x, group, element, layout)


JAX = keras.backend.backend() == "jax"


def forward(model, x):
    """What the model answers; on JAX compiled as a whole, for one by one its operations compile for long."""
    return model.predict_on_batch(x) if JAX else model(x)


def dtype_of(model, x):
    """The type of what the model answers; on JAX traced, not compiled."""
    if not JAX:
        return keras.backend.standardize_dtype(model(x).dtype)
    import jax

    return keras.backend.standardize_dtype(jax.eval_shape(model, x).dtype)


def outputs(model, x):
    """The model's outputs as an array."""
    return keras.ops.convert_to_numpy(forward(model, x))


PAIRS = {
    ("LiftingConv", 2): (layers.LiftingConv2D, keras.layers.Conv2D),
    ("LiftingConv", 3): (layers.LiftingConv3D, keras.layers.Conv3D),
    ("GroupConv", 2): (layers.GroupConv2D, keras.layers.Conv2D),
    ("GroupConv", 3): (layers.GroupConv3D, keras.layers.Conv3D),
    ("GroupConvTranspose", 2): (layers.GroupConv2DTranspose, keras.layers.Conv2DTranspose),
    ("GroupConvTranspose", 3): (layers.GroupConv3DTranspose, keras.layers.Conv3DTranspose),
}


def lifting(group="D4", size=(9, 9), fields=2, filters=3, kernel_size=3, **options):
    arguments = {
        "filters": filters,
        "kernel_size": kernel_size,
        "group": group,
        "bias_initializer": "normal",
        **options,
    }
    layer, stock = PAIRS["LiftingConv", len(size)]
    return Case(layer, arguments, (*size, fields), group, "image", stock=stock)


def group_conv(group="D4", size=(9, 9), fields=2, filters=3, kernel_size=3, **options):
    arguments = {
        "filters": filters,
        "kernel_size": kernel_size,
        "group": group,
        "bias_initializer": "normal",
        **options,
    }
    layer, stock = PAIRS["GroupConv", len(size)]
    return Case(layer, arguments, (*size, groups.get(group).order, fields), group, stock=stock)


def transposed(group="D4", size=(5, 5), kernel_size=3, **options):
    arguments = {"filters": 3, "kernel_size": kernel_size, "group": group, "bias_initializer": "normal", **options}
    layer, stock = PAIRS["GroupConvTranspose", len(size)]
    return Case(layer, arguments, (*size, groups.get(group).order, 2), group, stock=stock)


def depthwise(group="D4", size=(9, 9), kernel_size=3, **options):
    arguments = {"kernel_size": kernel_size, "group": group, "bias_initializer": "normal", **options}
    shape = (*size, groups.get(group).order, 2)
    if len(size) == 3:  # Keras has no depthwise convolution of volumes
        return Case(layers.GroupDepthwiseConv3D, arguments, shape, group)
    return Case(layers.GroupDepthwiseConv2D, arguments, shape, group, stock=keras.layers.DepthwiseConv2D)


def pixelwise(layer, size=(8, 8), image=False, **options):
    group = {2: "D4", 3: "T"}[len(size)]
    shape = (*size, 3) if image else (*size, groups.get(group).order, 3)
    layout = "image" if image else "regular"
    return Case(layer, options, shape, group, layout, layout)


def typed(layer, in_type, group, out_type=None, space=(9, 9), **options):
    """A layer on a field type; `out_type` is given where it is an argument, else read off the layer."""
    arguments = {"in_type": in_type, "group": group, **options}
    if out_type is not None:
        arguments["out_type"] = out_type
    into = FieldType.parse(in_type, group)
    return Case(layer, arguments, (*space, into.size), group, into, layer(**arguments).out_type)


def steerable(in_type, out_type, group, kernel_size=3, space=(9, 9), **options):
    options = {"kernel_size": kernel_size, "bias_initializer": "normal", **options}
    layer = getattr(layers, f"SteerableConv{len(space)}D")
    return typed(layer, in_type, group, out_type, space=space, **options)


def steerable_transposed(in_type, out_type, group, kernel_size=4, space=(5, 5), **options):
    options = {"kernel_size": kernel_size, "bias_initializer": "normal", **options}
    layer = getattr(layers, f"SteerableConv{len(space)}DTranspose")
    return typed(layer, in_type, group, out_type, space=space, **options)


def dense(in_type, out_type, group, **options):
    return typed(layers.SteerableDense, in_type, group, out_type, bias_initializer="normal", **options)


def typed_norm(name, in_type, group, **options):
    return typed(getattr(layers, f"Steerable{name}Normalization"), in_type, group, **options)


def restricted(in_type, group, subgroup, space=(9, 9)):
    """The law holds for the elements of the subgroup."""
    case = typed(layers.Restrict, in_type, group, subgroup=subgroup, space=space)
    return dataclasses.replace(case, group=subgroup)


def unrestricted(out_type, group, subgroup, in_type=None, space=(9, 9)):
    """The inverse of `restricted`."""
    arguments = {"out_type": out_type, "group": group, "subgroup": subgroup, "in_type": in_type}
    layer = layers.Unrestrict(**arguments)
    return Case(layers.Unrestrict, arguments, (*space, layer.in_type.size), subgroup, layer.in_type, layer.out_type)


class Squared(Case):
    """A layer of two tensors that gets one of them twice."""

    def connect(self, layer, inputs):
        return layer([inputs, inputs])


def tensor_product(in_type, out_type, group, space=(5, 5), **options):
    into, out = FieldType.parse(in_type, group), FieldType.parse(out_type, group)

    def transformed(x, group, element):  # a function: the layer alone has not the shapes of the model
        return groups.act(x, group, element, out)

    arguments = {"in_type": in_type, "second_type": in_type, "out_type": out_type, "group": group, **options}
    return Squared(layers.SteerableTensorProduct, arguments, (*space, into.size), group, into, transformed)


def harmonic(layer, orders=2, out="harmonic", **options):
    return Case(layer, options, (8, 8, orders, 2, 3), "C4", "harmonic", out)


def harmonic_conv(orders=2, size=(9, 9), **options):
    options = {"filters": 4, "kernel_size": 5, "phase_initializer": "normal", **options}
    if orders is None:
        return Case(layers.HarmonicConv2D, options, (*size, 3), "C4", "image", "harmonic")
    return Case(layers.HarmonicConv2D, options, (*size, orders, 2, 3), "C4", "harmonic", "harmonic")


from field_point_cases import FIELD_POINT_CASES  # noqa: E402  (it needs Case)
from lie_cases import LIE_CASES  # noqa: E402

VOLUMES = [
    lifting("O", (5, 5, 5), padding="same"),
    lifting("Oh", (4, 4, 4), kernel_size=2, filters=2, strides=2, activation="relu"),
    lifting("D4h", (5, 5, 4), kernel_size=(3, 3, 2), padding="valid", use_bias=False),
    lifting("C6h", (5, 5, 5), basis="bilinear"),
    lifting("I", (3, 3, 3), filters=1),
    lifting("D3d", (3, 3, 3), filters=1, basis="gaussian"),
    group_conv("T", (5, 5, 5), strides=2, padding="same", activation="relu"),
    group_conv("C4h", (5, 5, 3), kernel_size=(3, 3, 1), padding="same", padding_mode="circular"),
    group_conv("S4", (5, 5, 5), fields=4, filters=4, groups=2, dilation_rate=2),
    group_conv("D2d", (3, 3, 4), kernel_size=(3, 3, 2), strides=(2, 2, 1), kernel_regularizer="l2"),
    group_conv("Oh", (2, 2, 2), fields=1, filters=2, kernel_size=1),
    group_conv("T", (2, 2, 2), kernel_size=1, fields=128, filters=128),  # by the Fourier transform
    depthwise("O", (5, 5, 5), padding="same", depth_multiplier=2, activation="relu"),
    depthwise("T", (4, 4, 4), kernel_size=4, strides=2, padding="same", use_bias=False, kernel_regularizer="l2"),
    depthwise(
        "C4h",
        (5, 5, 3),
        dilation_rate=(2, 2, 1),
        padding="same",
        padding_mode="circular",
        basis="bilinear",
        data_format="channels_last",
        kernel_initializer="he_normal",
        bias_regularizer="l2",
        activity_regularizer="l2",
        kernel_constraint="max_norm",
        bias_constraint="max_norm",
    ),
    transposed("C4v", (3, 3, 3), kernel_size=4, strides=2, padding="same"),
    transposed("T", (2, 2, 2), kernel_size=2, dilation_rate=2),
    pixelwise(layers.MaxPooling3D, (4, 4, 4), pool_size=2),
    pixelwise(layers.MaxPooling3D, (4, 4, 4), image=True, pool_size=2, strides=2, antialias=True),
    pixelwise(layers.AveragePooling3D, (5, 5, 5), pool_size=3, strides=2, padding="same", group="T"),
    pixelwise(layers.AveragePooling3D, (4, 4, 4), image=True, pool_size=2, data_format="channels_last"),
    pixelwise(layers.GaussianBlur3D, (5, 5, 5), sigma=0.33, strides=2, group="T"),
    Case(layers.UpSampling3D, {"size": 2, "data_format": "channels_last"}, (2, 2, 2, 12, 3), "T"),
    Case(layers.UpSampling3D, {"size": 3, "interpolation": "trilinear"}, (2, 2, 2, 3), "T", "image", "image"),
    Case(layers.BatchNormalization, {"activation": "relu"}, (3, 3, 3, 12, 2), "T"),
    Case(layers.GroupPooling, {"mode": "max", "orbits": 2}, (3, 3, 3, 12, 2), "T", out="image"),
    Case(layers.GroupPooling, {"group": "Td", "subgroup": "D2d"}, (2, 2, 2, 24, 2), "Td", out="quotient(D2d)"),
]

SPACE = (5, 5, 5)
TYPED_VOLUMES = [
    steerable("2x0", "2x0 + 1x1 + 1x2", "SO3", 5, SPACE, padding="same"),
    steerable("1x0e + 1x1e", "1x0e + 1x0o + 1x1o", "O3", 3, SPACE, strides=2, antialias=True, padding="same"),
    steerable("2x0 + 2x1", "2x0 + 2x1", "SO3", 3, SPACE, groups=2, frequency_cutoff=[0, 2], kernel_regularizer="l2"),
    steerable("1xregular", "1xregular", "T", 2, (3, 3, 3), activation="relu"),
    steerable("1xT1 + 1xA1", "1xT1 + 1xE", "O", 3, (5, 5, 5), dilation_rate=2, padding_mode="circular", padding="same"),
    steerable(
        "1xA + 1xE",
        "1xA + 1xE",
        "C4z",
        (3, 3, 2),
        (4, 4, 3),
        frequency_cutoff="sfcnn",
        basis="steerable",
        voxel_size=[1, 1, 2],
        radial_profile="linear",
    ),
    steerable("1x0e + 1x1o", "1x0e + 1x2e + 1x1o", "O3", 3, SPACE, basis="pdo", discretization="gauss", smoothing=1.0),
    lifting("T", (3, 3, 3), filters=1, basis="pdo"),
    steerable_transposed("1x0 + 1x1", "1x0 + 1x2", "SO3", 4, (2, 2, 2), strides=2, padding="same"),
    typed(layers.NormMaxPooling3D, "2x0 + 1x1", "SO3", space=(4, 4, 4)),
    typed(layers.NormActivation, "2x0 + 2x1", "SO3", space=(2, 2, 2), bias_initializer="normal"),
    typed(layers.GatedActivation, "3x0e + 2x1o", "O3", space=(2, 2, 2), use_bias=True),
    typed(layers.FourierActivation, "1x0 + 3x1 + 5x2", "SO3", space=(2, 2, 2)),
    typed(layers.FourierActivation, "2x0e + 2x1o", "O3", space=(2, 2, 2)),
    typed(layers.FourierActivation, "1x0e + 1x0o + 3x1e + 3x1o", "O3", space=(2, 2, 2), activation="elu"),
    typed(layers.TensorProductActivation, "2x0 + 2x1", "SO3", space=(2, 2, 2), max_frequency=2),
    typed(layers.FieldDropout, "2x0 + 2x1", "SO3", space=(2, 2, 2), rate=0.2, spatial=True),
    typed(layers.NormPooling, "2x0e + 2x1o", "O3", space=(2, 2, 2)),
    dense("2x0 + 2x1", "1x0 + 3x1", "SO3", space=(2, 2, 2)),
    typed_norm("Batch", "2x0 + 1x1 + 1x2", "SO3", space=(2, 2, 2)),
    typed_norm("Batch", "2x0 + 1x1 + 1x2", "SO3", space=(2, 2, 2), reduction="max"),
    typed_norm("Group", "2x0e + 2x1o", "O3", groups=2, space=(2, 2, 2)),
    restricted("1x0 + 2x1 + 1x2 + 1x3", "SO3", "O", (2, 2, 2)),
    restricted("1x0e + 1x1o + 1x2e", "O3", "C4h", (2, 2, 2)),
    steerable("1x0+ + 1x1", "1x0+ + 1x1 + 1x2", "Cinfv", 3, (5, 5, 4), padding="same"),
    steerable("1x0e+ + 1x1o", "1x0o+ + 1x1o", "Dinfh", (2, 2, 3), (4, 4, 3), strides=(2, 2, 1), padding="same"),
    typed(layers.ConcatenatedReLU, "1x0e+ + 2x0e- + 1x0o+", "Dinfh", space=(3, 3, 2)),
    typed(layers.FourierActivation, "1xregular(1)", "Dinfz", space=(3, 3, 2)),
]

CIRCLE = [[1, 1, 0], [1, 0, 1], [1, -1, 0], [1, 0, -1]]  # values of a + b cos + c sin after each quarter turn

CATALOGUE = [
    *LIE_CASES,
    *FIELD_POINT_CASES,
    *(lifting(group=group, padding="same") for group in ("C1", "C2", "C4", "D1", "D2", "D4", "C8")),
    *(group_conv(group=group, padding="same") for group in ("C1", "C2", "C4", "D1", "D2", "D4", "C8", "C3")),
    *(lifting(basis=basis) for basis in ("bilinear", "gaussian", "steerable")),
    *(group_conv(group="C8", kernel_size=5, basis=basis) for basis in ("bilinear", "gaussian", "steerable")),
    lifting(group="D4", basis="pdo", padding="same"),
    group_conv(group="C8", kernel_size=4, basis="pdo"),
    lifting(group="C8", basis="learned"),
    group_conv(group="C8", basis="learned", trainable_basis=True, equivariance_weight=0.5, padding="same"),
    lifting(strides=2, padding="same", activation="relu"),
    lifting(kernel_size=4, size=(8, 8), strides=2, padding="same"),
    lifting(group="C4", kernel_size=2, use_bias=False),
    lifting(group="D2", kernel_size=(3, 5), size=(9, 7)),
    lifting(fields=4, filters=4, groups=4),
    lifting(padding="same", padding_mode="circular"),
    group_conv(strides=2, activation="relu"),
    group_conv(padding="same", dilation_rate=2),
    group_conv(padding="same", strides=2, dilation_rate=2),
    group_conv(group="C4", kernel_size=4, size=(8, 8), activation="elu"),
    group_conv(group="C2", kernel_size=(5, 3), size=(9, 7), padding="same"),
    group_conv(fields=4, filters=4, groups=2, padding="same"),
    group_conv(fields=3, filters=3, groups=3),
    group_conv(group="C8", fields=4, filters=4, groups=4, basis="steerable"),
    group_conv(padding="same", padding_mode="circular"),
    group_conv(padding="same", padding_mode="reflect", strides=2),
    group_conv(kernel_size=1, kernel_regularizer="l2", kernel_constraint="unit_norm", bias_regularizer="l1"),
    group_conv(group="C8", kernel_size=1, use_bias=False),
    group_conv(kernel_size=1, size=(3, 3), fields=128, filters=128),  # so many fields go by the Fourier transform
    lifting(kernel_initializer="he_normal", activity_regularizer="l2", bias_constraint="non_neg"),
    lifting(data_format="channels_last", padding="same", padding_mode="reflect"),
    transposed(),
    transposed(padding="same", strides=1, activation="relu"),
    transposed(kernel_size=4, strides=2, padding="same"),
    transposed(kernel_size=3, strides=2, output_padding=0),
    transposed(dilation_rate=2, padding="same"),
    transposed(basis="steerable", use_bias=False),
    pixelwise(layers.MaxPooling2D, pool_size=2),
    pixelwise(layers.MaxPooling2D, image=True, pool_size=3, strides=2, padding="same", size=(9, 9)),
    pixelwise(layers.MaxPooling2D, pool_size=2, antialias=True),
    pixelwise(layers.AveragePooling2D, pool_size=2, group="D4"),
    pixelwise(layers.AveragePooling2D, image=True, pool_size=3, strides=1, padding="same"),
    pixelwise(layers.AveragePooling2D, pool_size=2, antialias=True, image=True),
    pixelwise(layers.GaussianBlur2D, (9, 9), strides=2, group="D4"),
    pixelwise(layers.GaussianBlur2D, image=True, kernel_size=4, padding="valid", data_format="channels_last"),
    pixelwise(layers.MaxPooling2D, pool_size=2, strides=6, antialias=True, size=(24, 24), data_format="channels_last"),
    Case(layers.UpSampling2D, {"size": 2, "data_format": "channels_last"}, (5, 5, 8, 3), "D4"),
    Case(layers.UpSampling2D, {"size": 3, "interpolation": "bilinear"}, (5, 5, 3), "D4", "image", "image"),
    Case(layers.UpSampling2D, {"size": [2, 3], "group": "D2"}, (5, 4, 4, 3), "D2"),
    Case(layers.BatchNormalization, {"axis": 4, "momentum": 0.9, "epsilon": 1e-5}, (5, 5, 8, 3), "D4"),
    Case(layers.BatchNormalization, {"activation": "relu"}, (5, 5, 8, 3), "D4"),
    Case(
        layers.BatchNormalization,
        {
            "beta_initializer": "normal",
            "gamma_initializer": "ones",
            "moving_mean_initializer": "normal",
            "moving_variance_initializer": "ones",
            "beta_regularizer": "l2",
            "gamma_regularizer": "l1",
            "beta_constraint": "max_norm",
            "gamma_constraint": "non_neg",
            "synchronized": False,
        },
        (5, 5, 8, 3),
        "D4",
    ),
    Case(
        layers.BatchNormalization,
        {"activation": "elu", "scale": False, "center": False},
        (6, 6, 3),
        "D4",
        "image",
        "image",
    ),
    *VOLUMES,
    *TYPED_VOLUMES,
    steerable("3x0", "2x0 + 2x1 + 1x2", "SO2", 5, padding="same"),
    steerable("2x0+ + 1x0- + 2x1", "2x0+ + 1x0- + 2x1 + 1x2", "O2", 5, strides=2, frequency_cutoff="nyquist"),
    steerable("2xregular", "2xregular + 1x1", "C8", dilation_rate=2, activity_regularizer="l2"),
    steerable("2xregular", "2xregular + 1xquotient(C2)", "D4", activation="relu", padding="same"),
    steerable(
        "2xirreps", "2xirreps", "D4", groups=2, padding="same", padding_mode="reflect", kernel_initializer="he_normal"
    ),
    steerable("4xregular + 2x1", "2xregular + 2x1", "C8", 5, groups=2, basis="steerable", num_rings=4, ring_width=0.7),
    steerable("2x0 + 2x1", "2x0 + 1x1", "C4", 4, space=(8, 8), use_bias=False, kernel_regularizer="l2"),
    steerable(
        "1x0 + 1x2", "1x0 + 2x1", "SO2", 5, radial_profile="linear", bias_regularizer="l1", bias_constraint="non_neg"
    ),
    steerable(
        "1x0 + 1x1",
        "1x0 + 1x1",
        "SO2",
        5,
        ring_radii=[0.0, 1.5, 2.0],
        ring_width=[0.3, 0.6, 0.4],
        padding="same",
        padding_mode="replicate",
    ),
    steerable("2x0 + 1x1", "1x0 + 2x1 + 1x2", "SO2", 5, basis="pdo", maximum_order=3, padding="same"),
    steerable("1xregular + 1x1", "2xregular", "D4", 5, basis="pdo", accuracy=2, strides=2, activation="relu"),
    steerable("2xregular", "2xregular + 2x2", "C8", 4, groups=2, basis="pdo", discretization="gauss", smoothing=0.8),
    steerable("1xinduced(C4,1)", "1xregular", "D4", kernel_constraint="max_norm", data_format="channels_last"),
    typed(layers.NormActivation, "2x0 + 3x1 + 2x2", "SO2", bias_initializer="normal"),
    typed(
        layers.NormActivation,
        "2xregular + 2x1 + 2x0-",
        "D4",
        activation="softplus",
        bias_regularizer="l2",
        bias_constraint="max_norm",
        epsilon=1e-6,
    ),
    typed(layers.NormActivation, "2x0+ + 2x1", "O2", activation="tanh", use_bias=False),
    typed(layers.NormActivation, "2x0+ + 1x0- + 2x1", "D4", bias_initializer="normal", scalars="norm"),
    typed(layers.GatedActivation, "5x0 + 3x1", "SO2"),
    typed(layers.GatedActivation, "3x0+ + 2x1 + 3x0+ + 2x0-", "O2", use_bias=True, bias_regularizer="l2"),
    typed(
        layers.GatedActivation,
        "2x0 + 2x1",
        "C8",
        gate="tanh",
        activation="elu",
        use_bias=True,
        bias_initializer="normal",
        bias_constraint="max_norm",
    ),
    typed(layers.GatedActivation, "5x0+ + 2x1 + 1x0-", "O2", use_bias=True, bias_initializer="normal", scalars="gate"),
    typed(layers.PointwiseActivation, "2x0+ + 2xregular + 1xquotient(C4)", "D4", activation="elu"),
    typed(layers.ConcatenatedReLU, "2x0+ + 1x0- + 2x2+ + 2x2- + 3x1 + 1xregular", "D4"),
    typed(layers.ConcatenatedReLU, "2x0 + 2x1", "C4", activation="sigmoid"),
    steerable("2x0+", "1x0- + 1x1 + 1x0+", "O2", unreached="zeros"),
    steerable_transposed("2x0+", "1x0- + 1x1", "O2", unreached="zeros"),
    dense("2x1", "1x0 + 2x1 + 1x2", "SO2", unreached="zeros"),
    typed(layers.FourierActivation, "3x0 + 3x1 + 3x2", "SO2"),
    typed(layers.FourierActivation, "2x0+ + 2x0- + 4x1 + 4x2", "O2", activation="elu"),
    typed(layers.FourierActivation, "2x0+ + 2x1", "O2", grid="D8"),
    typed(layers.FourierActivation, "2x0 + 2x1 + 2x2", "C8"),
    typed(layers.SampledActivation, "2x0 + 2x1", "SO2", samples=CIRCLE, activation="elu"),
    typed(layers.SampledActivation, "2x0 + 2x1", "SO2", samples=CIRCLE, out_type="2x0", back=[[0.25] * 4]),
    typed(layers.TensorProductActivation, "2x0 + 2x1", "SO2", max_frequency=2),
    typed(layers.TensorProductActivation, "2xirreps", "D4"),
    typed(layers.NormPooling, "2x0 + 3x1 + 2x2", "SO2"),
    typed(layers.NormPooling, "2xregular + 3x0- + 2x1", "D4", epsilon=1e-6),
    typed(layers.NormPooling, "2x0 + 2x1", "C8", scalars="norm"),
    typed(layers.FieldPooling, "2x0+ + 2xregular + 1xquotient(C4)", "D4"),
    typed(layers.FieldPooling, "3xregular", "C8", mode="mean"),
    typed(layers.NormMaxPooling2D, "2x0 + 2x1 + 1x2", "SO2", space=(4, 4)),
    typed(layers.NormMaxPooling2D, "2x0+ + 3x1", "O2", pool_size=3, strides=2, padding="same"),
    typed(layers.NormMaxPooling2D, "1xregular + 2x1", "D4", pool_size=3, strides=1, data_format="channels_last"),
    harmonic_conv(None, padding="same", num_rings=4, ring_width=0.6),
    harmonic_conv(
        None, kernel_size=4, size=(8, 8), max_order=2, kernel_constraint="max_norm", phase_constraint="non_neg"
    ),
    harmonic_conv(padding="same", kernel_regularizer="l2", phase_regularizer="l2"),
    harmonic_conv(orders=3, max_order=1, strides=2, data_format="channels_last"),
    harmonic_conv(orders=1, max_order=3, dilation_rate=2, kernel_initializer="he_normal"),
    harmonic_conv(kernel_size=3, padding="same", padding_mode="circular", activity_regularizer="l2"),
    harmonic_conv(kernel_size=1, use_phase=False),
    harmonic_conv(kernel_size=3, max_order=0, strides=2, dilation_rate=2, padding="same"),
    harmonic(layers.HarmonicActivation, bias_initializer="normal"),
    harmonic(
        layers.HarmonicActivation,
        orders=1,
        activation="softplus",
        bias_regularizer="l2",
        bias_constraint="max_norm",
        epsilon=1e-6,
    ),
    harmonic(layers.HarmonicActivation, activation="tanh", use_bias=False),
    harmonic(layers.HarmonicBatchNormalization, activation="relu", gamma_regularizer="l2", beta_constraint="max_norm"),
    harmonic(layers.HarmonicBatchNormalization, orders=1, momentum=0.9, epsilon=1e-5, center=False, synchronized=False),
    harmonic(
        layers.HarmonicBatchNormalization,
        activation="softplus",
        scale=False,
        beta_initializer="normal",
        beta_regularizer="l2",
    ),
    harmonic(
        layers.HarmonicBatchNormalization,
        gamma_initializer="normal",
        gamma_constraint="max_norm",
        moving_mean_initializer="ones",
        moving_variance_initializer="ones",
    ),
    harmonic(layers.HarmonicMagnitude, out="image"),
    harmonic(
        layers.HarmonicMagnitude,
        out="image",
        reduction=None,
        use_bias=True,
        bias_initializer="normal",
        bias_regularizer="l2",
        bias_constraint="max_norm",
        epsilon=1e-6,
    ),
    harmonic(layers.HarmonicMagnitude, orders=1, out="image", reduction=None),
    harmonic(layers.AveragePooling2D, pool_size=2, group="C4"),
    harmonic(layers.AveragePooling2D, pool_size=2, antialias=True),
    harmonic(layers.GaussianBlur2D, sigma=1.0, kernel_size=3, strict=True),
    harmonic(layers.UpSampling2D, size=2, interpolation="bilinear"),
    harmonic(layers.UpSampling2D, size=2),
    Case(layers.LayerScale, {"init_values": 0.5}, (5, 5, 8, 3), "D4"),
    Case(layers.LayerScale, {"gamma_regularizer": "l2", "gamma_constraint": "max_norm"}, (2, 2, 2, 12, 3), "T"),
    Case(layers.LayerScale, {"init_values": 0.1}, (5, 5, 3), "D4", "image", "image"),
    harmonic(layers.LayerScale, init_values=0.1),
    pixelwise(layers.Resizing2D, output_size=11, data_format="channels_last"),
    pixelwise(layers.Resizing2D, image=True, factor=1.5, interpolation="bicubic"),
    pixelwise(layers.Resizing2D, image=True, output_size=(5, 5), align_corners=True),
    harmonic(layers.Resizing2D, factor=0.5, group="C4"),
    pixelwise(layers.Resizing3D, (3, 3, 3), output_size=5, interpolation="trilinear"),
    pixelwise(layers.AdaptiveAveragePooling2D, output_size=3, group="D4"),
    pixelwise(layers.AdaptiveMaxPooling2D, output_size=3, data_format="channels_last"),
    pixelwise(layers.AdaptiveAveragePooling3D, (4, 4, 4), image=True, output_size=(3, 3, 3)),
    pixelwise(layers.AdaptiveMaxPooling3D, (4, 4, 4), output_size=3),
    pixelwise(layers.RadialMask2D, margin=0.2, sigma=1.5),
    harmonic(layers.RadialMask2D, group="C4"),
    pixelwise(layers.RadialMask3D, (4, 4, 4)),
    typed(layers.SelectFields, "4x0 + 3x1 + 2x2", "SO2", fields=[1, 5, 4, 0, 8]),
    typed(layers.SelectFields, "2xregular + 1xquotient(C2)", "D4", fields=[1, 2]),
    typed(layers.SelectFields, "3xregular", "C4", fields=[0, 1, 2]),
    tensor_product("2x0 + 2x1", "2x0 + 1x1 + 1x2", "SO2", kernel_regularizer="l2"),
    tensor_product("1x0 + 1x1", "1x0 + 2x1 + 1x2", "SO3", (2, 2, 2), kernel_constraint="max_norm"),
    tensor_product("1x0+ + 2x1", "1x0- + 1x1 + 1x2+", "D4", kernel_initializer="he_normal"),
    typed(layers.VectorFieldActivation, "2xregular", "C8"),
    typed(layers.VectorFieldActivation, "1xregular + 2xregular", "D4", irrep="1"),
    Case(layers.GroupRepeat, {"group": "D4"}, (5, 5, 3), "D4", into="image"),
    Case(layers.GroupRepeat, {"group": "T"}, (2, 2, 2, 3), "T", into="image"),
    depthwise(padding="same", depth_multiplier=2, activation="relu"),
    depthwise("C4", (8, 8), kernel_size=4, strides=2, padding="same", use_bias=False, data_format="channels_last"),
    depthwise("D4", (9, 9), dilation_rate=2, padding="same", padding_mode="circular", basis="bilinear"),
    depthwise(
        "C8",
        kernel_size=5,
        kernel_initializer="he_normal",
        kernel_regularizer="l2",
        bias_regularizer="l2",
        activity_regularizer="l2",
        kernel_constraint="max_norm",
        bias_constraint="max_norm",
    ),
    Case(layers.GroupPooling, {"mode": "max"}, (5, 5, 8, 3), "D4", out="image"),
    Case(layers.GroupPooling, {"mode": "mean", "group": "D4"}, (5, 5, 8, 3), "D4", out="image"),
    Case(layers.GroupPooling, {"mode": "max", "group": "D4", "subgroup": "C4"}, (5, 5, 8, 3), "D4", out="quotient(C4)"),
    Case(
        layers.GroupPooling,
        {"mode": "mean", "group": "D4", "subgroup": "D1", "orbits": 3},
        (5, 5, 8, 6),
        "D4",
        out="quotient(D1)",
    ),
    steerable_transposed(
        "2x0 + 1x1", "1x0 + 1x1 + 1x2", "SO2", strides=2, padding="same", kernel_initializer="he_normal"
    ),
    steerable_transposed("1xregular + 1x1", "2xregular", "D4", 3, activation="relu", strides=2, output_padding=0),
    steerable_transposed(
        "2x0+ + 1x1", "1x0- + 1x1", "O2", 5, num_rings=4, ring_width=0.7, frequency_cutoff="nyquist", use_bias=False
    ),
    steerable_transposed(
        "1xregular",
        "1xregular",
        "C4",
        3,
        padding="same",
        dilation_rate=2,
        basis="steerable",
        radial_profile="linear",
        data_format="channels_last",
        kernel_regularizer="l2",
        bias_regularizer="l1",
        activity_regularizer="l2",
        kernel_constraint="max_norm",
        bias_constraint="non_neg",
        groups=1,
        padding_mode="zeros",
        ring_radii="escnn",
    ),
    steerable_transposed(
        "1x0+ + 1x1", "1x0- + 1x1", "O2", 3, basis="pdo", maximum_order=2, accuracy=1, discretization="fd"
    ),
    steerable_transposed("1x0", "1x1", "SO2", basis="pdo", discretization="gauss", smoothing=1.5),
    dense("4x0 + 2x1 + 1x2", "2x0 + 3x1 + 1x2", "SO2"),
    dense("2x0+ + 1x0- + 2x1", "2x0+ + 2x0- + 1x1", "O2", kernel_initializer="he_normal", use_bias=False),
    dense("2xregular + 1x1", "1xregular + 2xquotient(C2)", "D4", activation="relu", kernel_regularizer="l2"),
    dense(
        "2xregular + 1x3",
        "1x3 + 1xregular",
        "C8",
        bias_regularizer="l1",
        activity_regularizer="l2",
        kernel_constraint="max_norm",
        bias_constraint="non_neg",
    ),
    typed_norm("Batch", "3x0 + 2x1 + 1x2", "SO2", momentum=0.9, epsilon=1e-5, synchronized=False),
    typed_norm("Batch", "2xregular + 1xquotient(C2)", "D4", activation="relu", gamma_regularizer="l2"),
    typed_norm("Batch", "2x0+ + 1x0- + 1x1 + 1xregular", "D4", reduction="max"),
    typed_norm("Batch", "1x0+ + 2x0- + 1xinduced(C4,1) + 2xinduced(C2,0)", "D4", beta_constraint="max_norm"),
    typed_norm("Batch", "2x1", "SO2", beta_regularizer="l2", moving_variance_initializer="ones"),
    typed_norm("Batch", "2xregular", "C8", scale=False, activation="elu", moving_mean_initializer="ones"),
    typed_norm("Batch", "2x0 + 2x1", "C4", center=False, gamma_constraint="max_norm"),
    typed_norm("Layer", "3x0 + 2x1 + 2x2", "SO2", epsilon=1e-5, beta_initializer="ones"),
    typed_norm("Layer", "2xregular + 1xinduced(C2,0) + 1x0-", "D4", gamma_initializer="ones", beta_regularizer="l2"),
    typed_norm("Layer", "2x1", "SO2", gamma_regularizer="l2", gamma_constraint="max_norm"),
    typed_norm("Group", "4x0 + 2x1 + 2x2", "SO2", groups=2, beta_constraint="max_norm"),
    typed_norm("Group", "4xregular + 2xinduced(C2,0)", "D4", groups=1, center=False),
    typed_norm("Group", "2x1 + 3x0", "C4", groups=-1, scale=False),
    typed_norm("Instance", "3x0 + 2x1", "SO2", epsilon=1e-4),
    typed_norm("Instance", "2xregular + 1xquotient(C2)", "D4", center=False, scale=False),
    # No rate above 0: what is dropped differs between the backends and under XLA.
    typed(layers.FieldDropout, "2x0 + 2x1", "SO2", rate=0.3, seed=1),
    typed(layers.FieldDropout, "2xregular", "D4", rate=0.5, spatial=True),
    restricted("2xregular + 1x1 + 1x2+", "D4", "C4"),
    restricted("1xregular + 2xquotient(C4) + 1x3 + 1x2", "D8", "D4"),
    restricted("2xregular + 1x1", "D4", "D1"),
    restricted("2x0+ + 1x0- + 2x1 + 1x2", "O2", "SO2"),
    restricted("2x1 + 1x4 + 1x2", "SO2", "C4"),
    unrestricted("1xregular + 1x1", "D4", "D1", "4xregular + 1x0+ + 1x0-"),
    Case(layers.FlattenFields, {"group": "D4"}, (5, 5, 8, 3), "D4", out=FieldType.parse("3xregular", "D4")),
    Case(
        layers.UnflattenFields,
        {"in_type": "3xregular", "group": "D4"},
        (5, 5, 24),
        "D4",
        FieldType.parse("3xregular", "D4"),
    ),
]
