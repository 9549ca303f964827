"""Networks that reshape channels and predictions, as channel shuffles and the heads of detectors do."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_equivariant as ke
from keras_equivariant.groups.layouts import Image, Joined, Regular, Reshaped
from keras_equivariant.stock import laws
from keras_equivariant.stock.reshaping import joined, permuted, reshaped

pytestmark = pytest.mark.tensorflow
SIZE = 12


def shuffled(x, groups, rank=2):
    *space, channels = x.shape[1:]
    axes = range(1, rank + 1)
    x = layers.Reshape((*space, groups, channels // groups))(x)
    return layers.Reshape((*space, channels))(layers.Permute((*axes, rank + 2, rank + 1))(x))


def shufflenet():
    """A unit of ShuffleNet (arXiv 1707.01083)."""
    image = keras.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(image)
    y = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(32, 1, groups=4)(x)))
    y = layers.DepthwiseConv2D(3, padding="same")(shuffled(y, 4))
    x = layers.ReLU()(layers.Add()([x, layers.Conv2D(32, 1, groups=4)(y)]))
    return keras.Model(image, layers.Dense(5)(layers.GlobalAveragePooling2D()(x)))


def split_halves():
    """A unit of ShuffleNet V2 (arXiv 1807.11164), with operations of keras.ops."""
    image = keras.Input((SIZE, SIZE, 3))
    a, b = ops.split(layers.Conv2D(32, 3, padding="same", activation="relu")(image), 2, axis=-1)
    b = layers.Conv2D(16, 3, padding="same", activation="relu")(b)
    x = ops.reshape(ops.concatenate([a, b], axis=-1), (-1, SIZE, SIZE, 2, 16))
    x = ops.reshape(ops.transpose(x, (0, 1, 2, 4, 3)), (-1, SIZE, SIZE, 32))
    return keras.Model(image, layers.Dense(5)(layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3)(x))))


def backbone():
    image = keras.Input((SIZE, SIZE, 3))
    return image, layers.Conv2D(16, 3, padding="same", activation="relu")(image)


def boxes(*shape, last=None):
    """Three boxes of nine numbers at each pixel."""
    image, x = backbone()
    y = layers.Reshape(shape)(layers.Conv2D(27, 1)(x))
    return keras.Model(image, last(y) if last else y)


def decoded(y):
    """What a detector makes of its predictions."""
    return ops.concatenate([ops.sigmoid(y[..., :2]), ops.exp(y[..., 2:4]), ops.softmax(y[..., 4:])], axis=-1)


def two_scales():
    """Boxes and classes of two maps, one behind the other."""
    image, x = backbone()
    maps = x, layers.Conv2D(16, 3, padding="same", activation="relu")(layers.MaxPooling2D(2)(x))
    found = [
        layers.Concatenate(axis=1)([layers.Reshape((-1, k))(layers.Conv2D(2 * k, 3, padding="same")(y)) for y in maps])
        for k in (4, 5)
    ]
    return keras.Model(image, [found[0], layers.Softmax()(found[1])])


def classes_of_pixels():
    image, x = backbone()
    x = layers.Reshape((SIZE * SIZE, 4))(layers.Conv2D(4, 1)(x))
    return keras.Model(image, layers.Activation("softmax")(x))


def volumes():
    volume = keras.Input((6, 6, 6, 1))
    x = shuffled(layers.Conv3D(24, 3, padding="same", activation="relu")(volume), 2, rank=3)
    return keras.Model(volume, layers.Reshape((216, 3))(layers.Conv3D(3, 1)(x)))


def pixel_shuffle(x):
    x = ops.reshape(x, (-1, SIZE, SIZE, 2, 2, x.shape[-1] // 4))
    return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, 2 * SIZE, 2 * SIZE, x.shape[-1]))


def enlarged(enlarge):
    """Twice as many pixels, from channels, and a convolution of them."""
    image, x = backbone()
    return keras.Model(image, layers.Conv2D(3, 3, padding="same")(enlarge(layers.Conv2D(32, 3, padding="same")(x))))


def tokens(**options):
    """A transformer on the pixels of a map, without places, pooled by attention (arXiv 2104.05704)."""
    image, x = backbone()
    x = layers.Reshape((-1, 16))(layers.MaxPooling2D(2)(x))
    y = layers.LayerNormalization()(x)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 8)(y, y, **options)])
    x = x + layers.Dense(16)(layers.Dense(32, activation="gelu")(layers.LayerNormalization()(x)))
    weights = ops.softmax(layers.Dense(1)(x), axis=1)
    return keras.Model(image, layers.Dense(3)(ops.sum(weights * x, axis=1)))


def of_two(attend):
    """Attention of pixels to as many vectors that no rotation moves."""
    image, x = backbone()
    x = layers.Reshape((SIZE * SIZE, 16))(x)
    still = layers.Reshape((SIZE * SIZE, 1))(
        layers.Dense(SIZE * SIZE)(layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image)))
    )
    return keras.Model(image, layers.GlobalAveragePooling1D()(attend(x, still)))


def shared():
    """The same function of features and of predictions."""
    image = keras.Input((SIZE, SIZE, 3))
    function = layers.Activation("tanh")
    x = layers.Conv2D(6, 1)(function(layers.Conv2D(16, 3, padding="same")(image)))
    return keras.Model(image, function(layers.Reshape((SIZE * SIZE, 6))(x)))


def shared_weights():
    image = keras.Input((SIZE, SIZE, 3))
    dense = layers.Dense(6)
    x = dense(layers.Conv2D(6, 3, padding="same", activation="relu")(image))
    return keras.Model(image, dense(layers.Reshape((SIZE * SIZE, 6))(layers.Conv2D(6, 1)(x))))


CONVERTED = {
    "shufflenet": (shufflenet, "D4"),
    "split halves": (split_halves, "C4"),
    "boxes": (lambda: boxes(SIZE, SIZE, 3, 9), "D4"),
    "list of boxes": (lambda: boxes(3 * SIZE * SIZE, 9), "D4"),
    "decoded": (lambda: boxes(SIZE, SIZE, 3, 9, last=decoded), "D4"),
    "softmax of anchors": (lambda: boxes(SIZE, SIZE, 3, 9, last=layers.Softmax(axis=3)), "D4"),
    "box norms": (lambda: boxes(SIZE, SIZE, 3, 9, last=layers.LayerNormalization(axis=[3, 4])), "D4"),
    "transposed": (lambda: boxes(SIZE, SIZE, 3, 9, last=layers.Permute((1, 2, 4, 3))), "C4"),
    "pixels": (classes_of_pixels, "D4"),
    "mean of pixels": (lambda: boxes(SIZE * SIZE, 27, last=layers.GlobalAveragePooling1D()), "C4"),
    "two scales": (two_scales, "D4"),
    "volumes": (volumes, "O"),
    "softmax of pixels": (lambda: boxes(SIZE * SIZE, 27, last=layers.Softmax(axis=1)), "D4"),
    "dense on pixels": (
        lambda: keras.Model(
            *(lambda image, x: (image, layers.Dense(4)(layers.Reshape((SIZE * SIZE, 16))(x))))(*backbone())
        ),
        "D4",
    ),
    "tokens": (tokens, "D4"),
    "slopes of channels": (lambda: boxes(SIZE * SIZE, 27, last=layers.PReLU(shared_axes=[1])), "D4"),
    "shared": (shared, "D4"),
    "enlarged": (lambda: enlarged(layers.Conv2DTranspose(8, 6, strides=2, padding="same")), "D4"),
}


@pytest.mark.parametrize("name", CONVERTED)
def test_networks_that_reshape_are_converted_exactly(name):
    build, group = CONVERTED[name]
    stock = build()
    twin = ke.equivariant(stock, group)
    assert twin.output_shape == stock.output_shape
    report = ke.certify(twin, dtypes=["float64"])
    assert report.verdict == "exact"
    assert report.max_error < 1e-14
    folded = ke.fold(twin)  # compares the answers
    assert not any(type(layer).__module__.startswith("keras_equivariant") for layer in folded.layers)


def test_a_shuffle_mixes_the_fields_of_a_grouped_convolution():
    """As in the original, every output of the second grouped convolution sees every group of the first."""
    image = keras.Input((3, 3, 1))
    x = layers.Conv2D(16, 3, padding="same")(image)
    x = layers.Conv2D(16, 1, groups=2, use_bias=False)(x)
    stock = keras.Model(image, layers.Conv2D(16, 1, groups=2, use_bias=False)(shuffled(x, 2)))
    twin = ke.equivariant(stock, "C4", match=1.0, outputs="regular")
    shuffle = next(layer for layer in twin.layers if isinstance(layer, layers.Permute))
    assert shuffle.input.shape == (None, 9 * 4, 2, 8)  # at each pixel in each of four orientations
    exact = ke.certify(twin, dtypes=["float64"])
    assert exact.verdict == "exact"
    rows = {row.name: row.layout for row in exact.layers}
    assert rows[shuffle.name] == "reshaped regular"


@pytest.mark.parametrize("how", ["average", "canonical"])
def test_reshaped_predictions_are_symmetrized(how):
    exact = ke.symmetrize(classes_of_pixels(), "D4", how=how)
    report = ke.certify(exact, dtypes=["float64"])
    assert (report.verdict, exact.output_shape) == ("exact", (None, SIZE * SIZE, 4))


def test_predictions_of_several_maps_are_not_symmetrized():
    with pytest.raises(ValueError, match="symmetrize what comes before its Reshape"):
        ke.symmetrize(two_scales(), "D4")


REFUSED = {
    "pixel shuffle": (
        lambda: boxes(SIZE, SIZE, 3, 3, 3, last=layers.Permute((1, 3, 2, 4, 5))),
        "moves channels to other pixels; in place of it",
    ),
    "depth to space": (lambda: enlarged(lambda x: ops.depth_to_space(x, 2)), "keras.layers.Conv2DTranspose"),
    "pixel shuffle of features": (lambda: enlarged(pixel_shuffle), "keras.layers.Conv2DTranspose"),
    "space to depth": (
        lambda: keras.Model(*(lambda image, x: (image, layers.Conv2D(2, 1)(ops.space_to_depth(x, 2))))(*backbone())),
        "strides of as many pixels",
    ),
    "places": (
        lambda: boxes(SIZE, SIZE, 3, 9, last=lambda y: y + np.random.default_rng(0).normal(size=(SIZE, SIZE, 1, 1))),
        "treats positions or group elements differently",
    ),
    "flat": (lambda: boxes(SIZE, SIZE, 3, 9, last=layers.Flatten()), "mixes positions"),
    "mixed": (lambda: boxes(SIZE, 27 * SIZE), "mixes positions and channels"),
    "softmax of a column": (lambda: boxes(SIZE, SIZE, 3, 9, last=layers.Softmax(axis=2)), "axis=-1"),
    "slopes of places": (lambda: boxes(SIZE * SIZE, 27, last=layers.PReLU()), "shared_axes"),
    "scales of places": (
        lambda: boxes(SIZE * SIZE, 27, last=layers.Rescaling(np.random.default_rng(0).normal(size=(SIZE * SIZE, 1)))),
        "one number for each channel",
    ),
    "keys that stand still": (
        lambda: of_two(lambda x, still: layers.MultiHeadAttention(1, 4)(x, x, still)),
        "transform differently.* use one map",
    ),
    "causal": (lambda: tokens(use_causal_mask=True), "attends over a sequence|no equivariant counterpart"),
    "channels first": (
        lambda: keras.Model(*(lambda image, x: (image, layers.Permute((3, 1, 2))(x)))(*backbone())),
        "transpose what that gives",
    ),
    "shared weights": (shared_weights, "use a layer for each"),
    "split features": (
        lambda: keras.Model(*(lambda image, x: (image, layers.Reshape((SIZE, SIZE, 2, 8))(x)))(*backbone())),
        "reshape what that gives",
    ),
    "convolution": (
        lambda: boxes(SIZE, SIZE, 3, 9, last=layers.Conv3D(2, 3)),
        "use it before the Reshape|works on 3 axes",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_reshapes_that_break_the_symmetry_are_named(name):
    build, said = REFUSED[name]
    with pytest.raises(ValueError, match=said) as caught:
        ke.equivariant(build(), "D4")
    assert str(caught.value).count("; ") == 1  # what stands behind is no problem of its own


def test_a_transposed_convolution_computes_what_a_pixel_shuffle_does():
    x = np.random.default_rng(0).normal(size=(1, 5, 5, 3)).astype("float32")
    convolution = layers.Conv2D(8, 3, padding="same", use_bias=False)
    shuffled = ops.depth_to_space(convolution(x), 2)
    kernel = ops.convert_to_numpy(convolution.kernel).reshape(3, 3, 3, 2, 2, 2)  # (y, x, in, row, column, out)
    spread = layers.Conv2DTranspose(2, 6, strides=2, padding="same", use_bias=False)
    spread.build(x.shape)
    spread.set_weights([kernel[::-1, ::-1].transpose(0, 3, 1, 4, 5, 2).reshape(6, 6, 2, 3)])
    assert np.allclose(spread(x), shuffled, atol=1e-5)


def test_layouts_on_other_axes_act_as_the_map_does():
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 6))
    moved = ke.groups.act(x, "D4", 3, "image")
    layout = Reshaped(Image(), (4, 4, 6))
    for shape in ((16, 6), (32, 3), (4, 4, 2, 3)):
        found = layout.act(x.reshape(2, *shape), "D4", 3)
        assert np.array_equal(found, moved.reshape(2, *shape))
    swapped = x.reshape(2, 4, 4, 2, 3).swapaxes(3, 4)
    assert np.array_equal(layout.act(swapped, "D4", 3), moved.reshape(2, 4, 4, 2, 3).swapaxes(3, 4))
    both = Joined((layout, layout), (16, 16))
    pair = np.concatenate([x.reshape(2, 16, 6)] * 2, axis=1)
    assert np.array_equal(both.act(pair, "D4", 3), np.concatenate([moved.reshape(2, 16, 6)] * 2, axis=1))


def test_what_is_known_of_reshaped_features():
    regular = Regular(ke.groups.get("D4"))
    before = (None, 5, 5, 8, 6)
    found = reshaped(regular, before, (None, 5, 5, 8, 2, 3))
    assert found == Reshaped(regular, (5, 5, 8, 6))
    assert reshaped(found, (None, 5, 5, 8, 2, 3), before) == regular
    assert reshaped(regular, before, (None, 5, 5, 48)) is None  # elements of the group among the channels
    assert reshaped(regular, before, (None, 25 * 8 * 6)) is None
    assert permuted(found, (None, 5, 5, 8, 2, 3), (0, 1, 2, 3, 5, 4)) == found
    assert permuted(found, (None, 5, 5, 8, 2, 3), (0, 1, 2, 4, 3, 5)) is None
    wide = joined([found, found], [(None, 200, 6), (None, 200, 6)], -1)
    assert wide.shape[-1] == 12
    assert laws.output_layout(layers.Dense(9), [found], [(None, 200, 6)]).shape[-1] == 9
