"""Features that a layer has broken: the next layer of this package refuses them, and takes all others."""

import warnings

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant import layers

STOCK = keras.layers


def lifted(image, **options):
    return layers.LiftingConv2D(2, 3, "C4", padding="same", **options)(image)


def broken_by(between, make, strict=True, size=8):
    """The error of the network of a lifting, something in between and a layer of ours, for any weights."""
    image = keras.Input((size, size, 1))
    y = make(strict)(between(image))
    field_pooling = layers.FieldPooling("2xregular", group="C4")
    y = {6: layers.HarmonicMagnitude(strict=False), 5: layers.GroupPooling(), 4: field_pooling}[len(y.shape)](y)
    model, rng = keras.Model(image, y), np.random.default_rng(0)
    for weight in model.weights:
        signs = 1 if "variance" in weight.path else rng.choice([-1, 1], weight.shape)
        weight.assign(rng.uniform(0.1, 1, weight.shape) * signs)
    images = rng.normal(size=(2, size, size, 1)).astype("float32")
    y = keras.ops.convert_to_numpy(model(images, training=False))
    turned = keras.ops.convert_to_numpy(model(np.rot90(images, 1, (1, 2)).copy(), training=False))
    return float(np.abs(turned - np.rot90(y, 1, (1, 2))).max() / np.abs(y).max())


def group_conv(strict):
    return layers.GroupConv2D(2, 3, "C4", padding="same", strict=strict)


def lifting(strict):
    return layers.LiftingConv2D(2, 3, "C4", padding="same", strict=strict)


def harmonic_conv(strict):
    return layers.HarmonicConv2D(2, 3, padding="same", strict=strict)


def steerable_conv(strict):
    return layers.SteerableConv2D("1x0", "2xregular", 3, group="C4", padding="same", strict=strict)


def on_input(layer):
    return lambda image: layer()(image)


def after_lifting(layer):
    return lambda image: layer()(lifted(image))


def after_pooling(layer):
    return lambda image: layer()(layers.GroupPooling()(lifted(image)))


def after_harmonic(layer):
    return lambda image: layer()(layers.HarmonicConv2D(3, 3, padding="same")(image))


def mixed_group_axis(image):
    return STOCK.Reshape((8, 8, 4, 2))(STOCK.Dense(8)(STOCK.Reshape((8, 8, 8))(lifted(image))))


REFUSED = {
    "slopes": (after_lifting(STOCK.PReLU), group_conv, r"use shared_axes=\[1, 2, 3\]"),
    "normalized axis": (after_lifting(lambda: STOCK.BatchNormalization(axis=-2)), group_conv, "use axis=-1"),
    "layer": (after_lifting(lambda: STOCK.LayerNormalization(axis=(-2, -1))), group_conv, "use axis=-1"),
    "statistics": (
        after_lifting(lambda: STOCK.Normalization(axis=-2, mean=[1.0, 2, 3, 4], variance=[1.0, 2, 1, 1])),
        group_conv,
        "use axis=-1",
    ),
    "softmax over an axis": (after_lifting(lambda: STOCK.Softmax(axis=1)), group_conv, "use axis=-1"),
    "one side": (
        after_lifting(lambda: STOCK.Cropping3D(((1, 0), (1, 0), (0, 0)))),
        group_conv,
        "use one number for all sides",
    ),
    "windows": (
        after_lifting(lambda: STOCK.MaxPooling3D((3, 3, 1), padding="same", strides=(2, 2, 1))),
        group_conv,
        "use MaxPooling2D of this package",
    ),
    "convolution over the group": (
        after_lifting(lambda: STOCK.Conv3D(2, 3, padding="same")),
        group_conv,
        "use GroupConv2D",
    ),
    "mixed group axis": (mixed_group_axis, group_conv, "mixes positions, group elements and channels"),
    "convolution of a map": (
        after_pooling(lambda: STOCK.Conv2D(2, 3, padding="same")),
        lifting,
        "use LiftingConv2D or GroupConv2D",
    ),
    "convolution of the input": (on_input(lambda: STOCK.Conv2D(2, 3, padding="same")), lifting, "use LiftingConv2D"),
    "one side of the input": (on_input(lambda: STOCK.ZeroPadding2D(((1, 0), (1, 0)))), lifting, "use one number"),
    "slopes of the input": (on_input(STOCK.PReLU), harmonic_conv, r"use shared_axes=\[1, 2\]"),
    "patches of the input": (on_input(lambda: STOCK.Conv2D(1, 2, 2)), steerable_conv, "use LiftingConv2D"),
    "ramp on the input": (lambda image: image + np.arange(8.0)[:, None, None], lifting, "one number for each channel"),
    "harmonic relu": (after_harmonic(STOCK.ReLU), harmonic_conv, "use HarmonicActivation"),
    "harmonic bias": (
        after_harmonic(lambda: STOCK.Dense(3, bias_initializer="ones")),
        harmonic_conv,
        "use use_bias=False",
    ),
    "harmonic normalization": (after_harmonic(STOCK.BatchNormalization), harmonic_conv, "HarmonicBatchNormalization"),
    "harmonic offset": (after_harmonic(lambda: STOCK.Rescaling(1.0, 1.0)), harmonic_conv, "use offset=0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_breaks_the_symmetry_is_refused_by_the_next_layer(case):
    between, make, remedy = REFUSED[case]
    name = type(make(True)).__name__
    with pytest.raises(ValueError, match=f'{name} ".*" takes features .* Received: what the layer ".*{remedy}'):
        broken_by(between, make)
    with pytest.warns(UserWarning, match=f"(?s)takes features .*{remedy}.*built without that symmetry"):
        assert broken_by(between, make, strict=False) > 1e-3


def squeezed(x):
    """Squeeze and excitation: a factor for each channel."""
    gate = STOCK.Dense(2, activation="sigmoid")(STOCK.GlobalAveragePooling3D()(x))
    return STOCK.Multiply()([x, STOCK.Reshape((1, 1, 1, 2))(gate)])


def squeezed_with_axes(x):
    return STOCK.Multiply()([x, STOCK.Dense(2)(STOCK.GlobalMaxPooling3D(keepdims=True)(x))])


def attended(x):
    """A factor for each pixel, the same for all elements."""
    gate = STOCK.Dense(1, activation="sigmoid")(layers.GroupPooling()(x))
    return x * STOCK.Reshape((8, 8, 1, 1))(gate)


def gated_harmonics(image):
    """A real factor for each pixel and channel."""
    x = layers.HarmonicConv2D(3, 3, padding="same")(image)
    gate = STOCK.Dense(3, activation="sigmoid")(layers.HarmonicMagnitude()(x))
    return STOCK.Multiply()([STOCK.Reshape((8, 8, 1, 1, 3))(gate), x])


def squeezed_map(x):
    y = layers.GroupPooling()(x)
    gate = STOCK.Reshape((1, 1, 2))(STOCK.Dense(2)(STOCK.GlobalAveragePooling2D()(y)))
    return STOCK.Multiply()([gate, y])


TAKEN = {
    "squeeze and excitation": (squeezed, group_conv),
    "with axes kept": (squeezed_with_axes, group_conv),
    "of a map": (squeezed_map, lifting),
    "attention": (attended, group_conv),
    "pixels of the group axis, too": (lambda x: STOCK.Conv3D(2, 1)(x), group_conv),
    "shared slopes": (lambda x: STOCK.PReLU(shared_axes=[1, 2, 3])(x), group_conv),
    "channels normalized": (lambda x: STOCK.LayerNormalization()(x), group_conv),
    "fibers normalized": (
        lambda x: STOCK.LayerNormalization(axis=(-2, -1), center=False, scale=False)(x),
        group_conv,
    ),
    "even windows": (lambda x: STOCK.MaxPooling3D((2, 2, 1))(x), group_conv),
    "of no known law": (lambda x: STOCK.EinsumDense("bhwgc,cd->bhwgd", output_shape=(8, 8, 4, 3))(x), group_conv),
}


def test_factors_of_complex_numbers_and_of_fields_are_taken_and_others_are_not():
    assert broken_by(gated_harmonics, harmonic_conv) < 1e-5
    x = vectors()
    gate = STOCK.Dense(1)(layers.NormPooling("4x1", group="C4")(x))
    pooled = STOCK.Reshape((1, 1, 1))(STOCK.Dense(1)(STOCK.GlobalAveragePooling2D()(gate)))
    for factor in (gate, pooled):
        assert layers.NormPooling("4x1", group="C4")(STOCK.Multiply()([x, factor])).shape[-1] == 4
        with pytest.raises(ValueError, match="merges features that transform differently"):
            layers.NormPooling("4x1", group="C4")(STOCK.Add()([x, factor]))
    with pytest.raises(ValueError, match="merges features that transform differently"):
        layers.NormPooling("4x1", group="C4")(STOCK.Multiply()([x, STOCK.Dense(8)(gate)]))


@pytest.mark.parametrize("case", TAKEN)
def test_what_keeps_it_is_taken_and_exact(case):
    between, make = TAKEN[case]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert broken_by(lambda image: between(lifted(image)), make) < 1e-5


BEFORE = {
    "scale and statistics": lambda x: STOCK.Rescaling(1 / 255)(STOCK.BatchNormalization()(x)),
    "a mixture of channels": lambda x: STOCK.Conv2D(1, 1, activation="relu", bias_initializer="ones")(x),
    "even windows": lambda x: STOCK.AveragePooling2D(2)(x),
    "other sizes": lambda x: STOCK.Resizing(16, 16)(x),
    "random images": lambda x: STOCK.RandomFlip()(STOCK.RandomRotation(0.5)(x)),
}


@pytest.mark.parametrize("make", [lifting, harmonic_conv, steerable_conv])
@pytest.mark.parametrize("case", BEFORE)
def test_what_may_stand_before_the_first_layer(case, make):
    between = BEFORE[case]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert broken_by(between, make) < 1e-5


@pytest.mark.parametrize("shape", [(8, 8, 4, 2), (8, 1, 1, 2)])
def test_numbers_of_places_of_their_own_are_no_factors(shape):
    def added(image):
        x = lifted(image)
        pooled = STOCK.Dense(int(np.prod(shape)))(STOCK.GlobalAveragePooling3D()(x))
        return STOCK.Add()([x, STOCK.Reshape(shape)(pooled)])

    with pytest.raises(ValueError, match="merges features that transform differently: regular C4 and invariant"):
        broken_by(added, group_conv)
    with pytest.warns(UserWarning, match="merges features"):
        assert broken_by(added, group_conv, strict=False) > 1e-3


def vectors():
    return layers.SteerableConv2D("1x0", "4x1", 3, group="C4", padding="same")(keras.Input((8, 8, 1)))


def harmonic():
    return layers.HarmonicConv2D(3, 3)(keras.Input((8, 8, 1)))


def regular():
    return lifted(keras.Input((8, 8, 1)))


OWN = {
    "maxima of vectors": (layers.MaxPooling2D, vectors, "use NormMaxPooling2D or AveragePooling2D"),
    "adaptive maxima of vectors": (layers.AdaptiveMaxPooling2D, vectors, "use NormMaxPooling2D or AveragePooling2D"),
    "normalized vectors": (layers.BatchNormalization, vectors, "use SteerableBatchNormalization"),
    "normalized harmonics": (layers.BatchNormalization, harmonic, "use HarmonicBatchNormalization"),
    "normalized elements": (lambda **o: layers.BatchNormalization(-2, **o), regular, "use axis=-1"),
}


@pytest.mark.parametrize("case", OWN)
def test_layers_of_this_package_refuse_at_once_what_they_would_break(case):
    make, features, remedy = OWN[case]
    with pytest.raises(ValueError, match=f"loses the symmetry of its features: .*{remedy}"):
        make()(features())
    with pytest.warns(UserWarning, match=f"{remedy}.*built without that symmetry"):
        layer = make(strict=False)
        layer(features())
    assert layer.get_config()["strict"] is False


def test_maxima_and_statistics_of_what_only_permutes_are_taken():
    x = layers.SteerableConv2D("1x0", "2xregular", 3, group="C4", padding="same")(keras.Input((8, 8, 1)))
    assert layers.MaxPooling2D(2)(x).shape == (None, 4, 4, 8)
    assert layers.BatchNormalization(activation="relu")(regular()).shape == (None, 8, 8, 4, 2)


def test_features_are_judged_by_the_elements_that_the_groups_share():
    pooled = layers.GroupPooling()(layers.LiftingConv2D(2, 3, "D4", padding="same")(keras.Input((8, 8, 1))))
    padded = STOCK.ZeroPadding2D((1, 0))(pooled)  # keeps half turns and mirrors, and no quarter turn
    assert layers.LiftingConv2D(2, 3, "D2")(padded).shape == (None, 8, 6, 4, 2)
    with pytest.raises(ValueError, match="must treat all sides alike"):
        layers.LiftingConv2D(2, 3, "C4")(padded)


def test_features_on_other_axes_are_no_image():
    pixels = STOCK.Reshape((64, 2))(layers.GroupPooling()(regular()))
    assert layers.LayerScale()(pixels).shape == (None, 64, 2)
    assert lifted(STOCK.Reshape((8, 8, 2))(pixels)).shape == (None, 8, 8, 4, 2)
    with pytest.raises(ValueError, match="works on axes of space, which a Reshape put on others.*use it before"):
        lifted(STOCK.Reshape((64, 1, 2))(pixels))


def test_values_of_points_are_watched_as_well():
    points = [keras.Input((6, 3)), keras.Input((6, 4)), keras.Input((6,), dtype="bool")]

    def conv(inputs):
        return layers.SteerablePointConv("4x0", "4x0", "SO3", radius=5.0, neighbors=6)(inputs)

    elements, values, mask = conv(points)
    with pytest.raises(ValueError, match="takes features of a field type.*must act on channels.*use axis=-1"):
        conv((elements, STOCK.LayerNormalization(axis=1)(values), mask))
    assert conv((elements, STOCK.LayerNormalization()(values), mask))[1].shape == (None, 6, 4)


def test_a_model_that_was_built_without_its_symmetry_is_loaded_so(tmp_path):
    image = keras.Input((8, 8, 1))
    with pytest.warns(UserWarning, match="built without that symmetry"):
        y = layers.GroupConv2D(2, 3, "C4", strict=False)(STOCK.PReLU()(lifted(image)))
    model = keras.Model(image, layers.GroupPooling()(y))
    model.save(tmp_path / "model.keras")
    with pytest.warns(UserWarning, match="use shared_axes"):
        loaded = keras.models.load_model(tmp_path / "model.keras")
    assert ke.certify(loaded, angles=0).group == "C4"
