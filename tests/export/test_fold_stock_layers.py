"""Stock Keras layers and operations on regular features: same numbers, and which of them stay 4-D."""

import keras
import pytest
from export_models import classes, lifted, random_inputs, randomize, relative_error
from keras import layers, ops

import keras_equivariant as ke

STAY_4D = {
    "relu": lambda: layers.ReLU(max_value=0.5, negative_slope=0.1),
    "leaky_relu": lambda: layers.LeakyReLU(0.3),
    "elu": lambda: layers.ELU(),
    "activation": lambda: layers.Activation("gelu"),
    "rescaling": lambda: layers.Rescaling(2.0, offset=-1.0),
    "prelu": lambda: layers.PReLU(),
    "prelu_shared_space": lambda: layers.PReLU(shared_axes=[1, 2]),
    "prelu_shared_group": lambda: layers.PReLU(shared_axes=[1, 2, 3]),
    "batch_normalization": lambda: layers.BatchNormalization(axis=4),
    "batch_normalization_plain": lambda: layers.BatchNormalization(center=False, scale=False),
    "dense": lambda: layers.Dense(5, activation="tanh"),
    "max_pooling": lambda: layers.MaxPooling3D((2, 2, 1)),
    "average_pooling": lambda: layers.AveragePooling3D((3, 2, 1), strides=(1, 2, 1), padding="same"),
    "up_sampling": lambda: layers.UpSampling3D((2, 1, 1)),
    "zero_padding": lambda: layers.ZeroPadding3D(((1, 0), (2, 1), (0, 0))),
    "cropping": lambda: layers.Cropping3D((1, 2, 0)),
}
GO_5D = {
    "softmax": lambda: layers.Softmax(),
    "softmax_activation": lambda: layers.Activation("softmax"),
    "layer_normalization": lambda: layers.LayerNormalization(),
    "layer_normalization_by_number": lambda: layers.LayerNormalization(axis=4),
    "group_normalization": lambda: layers.GroupNormalization(3),
    "unit_normalization": lambda: layers.UnitNormalization(),
    "wide_dense": lambda: layers.Dense(40),
    "batch_normalization_of_group": lambda: layers.BatchNormalization(axis=-2),
    "rescaling_per_channel": lambda: layers.Rescaling([1.0, 2.0, 3.0]),
    "permute": lambda: layers.Permute((2, 1, 3, 4)),
    "pooling_over_group": lambda: layers.MaxPooling3D((1, 1, 2)),
    "global_keepdims": lambda: layers.GlobalAveragePooling3D(keepdims=True),
}
TO_VECTOR = {
    "flatten": lambda: layers.Flatten(),
    "reshape": lambda: layers.Reshape((-1, 24)),
    "global_average": lambda: layers.GlobalAveragePooling3D(),
    "global_max": lambda: layers.GlobalMaxPooling3D(),
}


@pytest.mark.filterwarnings("ignore:.*built without that symmetry")
@pytest.mark.parametrize("case", STAY_4D)
def test_layer_stays_4d(case, check_fold):
    image, x = lifted(activation="relu")
    x = STAY_4D[case]()(x)
    x = ke.layers.GroupConv2D(2, 3, group="C4", padding="same", strict=False)(x)  # some break the symmetry
    folded = check_fold(keras.Model(image, layers.Flatten()(x)))
    assert all(len(layer.output.shape) == 4 for layer in folded.layers[:-1])


@pytest.mark.parametrize("case", GO_5D)
def test_layer_on_the_5d_form(case, check_fold):
    image, x = lifted(filters=40 if case == "wide_dense" else 3)
    check_fold(keras.Model(image, layers.ReLU()(GO_5D[case]()(x))))


@pytest.mark.parametrize("case", TO_VECTOR)
def test_layer_ends_the_features(case, check_fold):
    image, x = lifted(activation="relu")
    y = layers.Concatenate()([x, layers.Dense(2)(x)])
    check_fold(keras.Model(image, [TO_VECTOR[case]()(t) for t in (x, layers.Dense(6)(y))]))


@pytest.mark.parametrize(
    "merge", [layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum]
)
def test_merging_layer_stays_4d(merge, check_fold):
    image, x = lifted()
    y = ke.layers.GroupConv2D(3, 3, group="C4", padding="same")(x)
    folded = check_fold(keras.Model(image, layers.Flatten()(merge()([x, y]))))
    assert "Reshape" not in classes(folded)


def test_operations_stay_4d(check_fold):
    image, x = lifted()
    y = ops.sigmoid(x) * x + 0.5 * x
    folded = check_fold(keras.Model(image, layers.Flatten()(ops.maximum(y, 0.0) - x)))
    assert "Reshape" not in classes(folded)


def test_broadcast_between_layouts(check_fold):
    image, x = lifted()
    gate = layers.GlobalAveragePooling3D(keepdims=True)(x)
    check_fold(keras.Model(image, layers.Multiply()([x, ops.sigmoid(gate)])))


def test_concatenation_is_absorbed_by_what_follows(check_fold):
    image, x = lifted(filters=3)
    y = ke.layers.GroupConv2D(5, 3, group="C4", padding="same", activation="relu")(x)
    joined = layers.Concatenate()([x, y])
    joined = layers.Concatenate(axis=4)([joined, x])
    joined = layers.BatchNormalization()(joined)
    joined = ke.layers.BatchNormalization(activation="relu")(joined)
    joined = ke.layers.MaxPooling2D(2)(joined)
    z = ke.layers.GroupConv2D(2, 3, group="C4", padding="same")(joined)
    z = layers.Concatenate()([z, layers.Dense(4)(joined)])
    z = ke.layers.GroupConv2DTranspose(2, 2, group="C4", strides=2)(z)
    folded = check_fold(keras.Model(image, layers.Flatten()(z)))
    assert "Reshape" not in classes(folded)


def test_concatenation_that_nothing_absorbs(check_fold):
    image, x = lifted(filters=3)
    y = ke.layers.GroupConv2D(5, 3, group="C4", padding="same", activation="relu")(x)
    a, b = layers.Concatenate()([x, y]), layers.Concatenate()([y, x])
    prelu = layers.PReLU()(a)
    check_fold(keras.Model(image, [layers.Add()([a, b]), ke.layers.GroupPooling("mean")(a), prelu, a]))


@pytest.mark.parametrize("axis", [1, -2])
def test_concatenation_along_other_axes(axis, check_fold):
    image, x = lifted()
    check_fold(keras.Model(image, layers.Concatenate(axis=axis)([x, layers.ReLU()(x)])))


@pytest.mark.parametrize("activation", ["softmax", "log_softmax"])
def test_activation_over_the_fields_of_a_convolution(activation, check_fold):
    image, x = lifted(activation=activation)
    x = ke.layers.BatchNormalization(activation=activation)(x)
    check_fold(keras.Model(image, ke.layers.GroupConv2D(2, 3, group="C4", activation=activation)(x)))


def test_activation_over_the_fields_before_pixels_are_chosen(check_fold):
    """TensorFlow has no dilated convolution with strides: folded it is one of stride 1, and every other pixel of it."""
    image, options = keras.Input((9, 9, 2)), {"group": "C4", "strides": 2, "dilation_rate": 2, "padding": "same"}
    x = ke.layers.LiftingConv2D(3, 3, activation="softmax", **options)(image)
    check_fold(keras.Model(image, ke.layers.GroupDepthwiseConv2D(3, activation="softmax", **options)(x)))


@pytest.mark.parametrize("activation", ["relu", "softmax"])
@pytest.mark.parametrize("layer", [ke.layers.HarmonicActivation, ke.layers.HarmonicBatchNormalization])
def test_activation_over_the_magnitudes_of_harmonic_features(layer, activation, check_fold):
    image = keras.Input((8, 8, 2))
    x = layer(activation)(ke.layers.HarmonicConv2D(3, 5)(image))
    check_fold(keras.Model(image, ke.layers.HarmonicMagnitude()(x)))


@pytest.mark.parametrize(
    "layer",
    [
        *(layers.Dropout(0.5), layers.AlphaDropout(0.5), layers.GaussianDropout(0.5), layers.GaussianNoise(1.0)),
        *(layers.SpatialDropout2D(0.5), layers.ActivityRegularization(l2=1.0), layers.Identity()),
        *(layers.RandomFlip(), layers.RandomRotation(0.5), layers.RandomTranslation(0.2, 0.2), layers.RandomZoom(0.3)),
        *(layers.RandomBrightness(0.3), layers.RandomContrast(0.3)),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_training_only_layer_is_left_out(layer, check_fold):
    image = keras.Input((8, 8, 2))
    x = ke.layers.LiftingConv2D(3, 3, group="C4")(layer(image))
    folded = check_fold(keras.Model(image, layers.Flatten()(x)))
    assert classes(folded) == ["Conv2D", "Flatten"]


def test_dropout_between_convolution_and_normalization(check_fold):
    image, x = lifted()
    x = layers.BatchNormalization()(layers.SpatialDropout3D(0.5)(layers.Dropout(0.1)(x)))
    assert classes(check_fold(keras.Model(image, layers.Flatten()(x)))) == ["Conv2D", "Flatten"]


def test_unfolded_order_of_channels_would_be_noticed():
    """The comparison sees a permutation of the channels: the test that the tests above test something."""
    image, x = lifted()
    y = ke.layers.GroupConv2D(5, 3, group="C4", padding="same")(x)
    model = randomize(keras.Model(image, layers.Concatenate()([x, y])))
    inputs = random_inputs(model)
    right = keras.ops.convert_to_numpy(model(inputs))
    parts = [right[..., :3].reshape(2, 8, 8, 12), right[..., 3:].reshape(2, 8, 8, 20)]
    wrong = ops.reshape(ops.concatenate(parts, axis=-1), right.shape)
    assert relative_error(wrong, right) > 0.1


def _normalized_slopes(space, group, normalization):
    """Slopes of each field, behind what leaves the group axis where it is."""
    rank = len(space)
    image = keras.Input((*space, 2))
    lifting, pooling = (getattr(ke.layers, f"LiftingConv{rank}D"), getattr(layers, f"GlobalAveragePooling{rank}D"))
    x = normalization(lifting(4, 3, group=group, padding="same")(image))
    x = layers.PReLU(shared_axes=[*range(1, rank + 2)], alpha_initializer="random_normal")(x)
    return keras.Model(image, pooling()(ke.layers.GroupPooling("mean")(x)))


@pytest.mark.parametrize(("space", "group"), [((7, 7), "D4"), ((4, 4, 4), "O")], ids=["images", "volumes"])
@pytest.mark.parametrize(
    "normalization", [layers.GroupNormalization(2), layers.GroupNormalization(4), layers.Identity()]
)
def test_slopes_and_group_normalization_run_in_tflite(space, group, normalization, tmp_path):
    """It has PReLU on four axes, and means over no more than Keras's own layers on volumes take."""
    model = randomize(_normalized_slopes(space, group, type(normalization).from_config(normalization.get_config())))
    report = ke.export(model, tmp_path, ["tflite", "keras"])
    assert report.passed
    assert {ke.prove(path).verdict for path in (*tmp_path.glob("*.tflite"), *tmp_path.glob("*.keras"))} == {"proved"}
