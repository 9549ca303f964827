"""Twins of stock networks: exact, folded alike, the original itself on the trivial group; what has none is named."""

import contextlib
import warnings

import keras
import numpy as np
import pytest
from keras import layers
from stock_networks import NETWORKS, shake, unet

import keras_equivariant as ke
from keras_equivariant.conversion.matching import cost
from keras_equivariant.stock.traits import ELEMENTWISE, ELEMENTWISE_OPERATIONS

pytestmark = pytest.mark.tensorflow


def images(model, count=2, seed=0):
    shape = (count, *model.input_shape[1:])
    scale = 255.0 if any(isinstance(layer, layers.Rescaling) for layer in model.layers) else 1.0
    return (scale * np.random.default_rng(seed).standard_normal(shape)).astype("float32")


def answers(model, x):
    return keras.ops.convert_to_numpy(model(x))


@pytest.mark.parametrize("name", NETWORKS)
def test_twin_is_exact_and_folds(name):
    stock = NETWORKS[name]()
    twin = shake(ke.equivariant(stock, "D4"))
    report = ke.certify(twin)
    assert report.verdict == "exact" and report.max_error < 1e-12
    assert twin.output_shape == stock.output_shape
    x = images(twin)
    assert np.ptp(answers(twin, x), axis=0).max() > 1e-3
    np.testing.assert_allclose(answers(ke.fold(twin), x), answers(twin, x), atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_on_the_trivial_group_it_is_the_original(name):
    stock = shake(NETWORKS[name]())
    twin = ke.equivariant(stock, "Z2", match=1.0, weights="project")
    x = images(stock)
    assert np.ptp(answers(stock, x), axis=0).max() > 1e-3
    np.testing.assert_allclose(answers(twin, x), answers(stock, x), rtol=1e-5, atol=1e-6)
    assert not twin.conversion.changed or name in ("dense", "unet")  # dense layers on maps; whole fields dropped


def test_volumes():
    stock = unet(rank=3, size=4)
    twin = shake(ke.equivariant(stock, "O", match="channels"))
    assert twin.output_shape == stock.output_shape
    x = images(twin, 1)
    for element in (1, 9, 17):
        moved = answers(twin, ke.groups.act(x, "O", element, "image"))
        np.testing.assert_allclose(moved, ke.groups.act(answers(twin, x), "O", element, "image"), atol=1e-5)


def test_original_windows_may_be_kept():
    stock = NETWORKS["residual"]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        twin = shake(ke.equivariant(stock, "D4", match="channels", strict=False))
    assert any(layer.why.startswith("kept") for layer in twin.conversion.layers)
    assert ke.certify(twin).verdict != "exact"


def test_with_all_channels_it_begins_as_the_mean_of_the_original():
    image = keras.Input((9, 9, 2))
    x = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(image)
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(layers.BatchNormalization()(x))
    stock = shake(keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x))))
    twin = ke.equivariant(stock, "D4", match=1.0, weights="project")
    f = images(stock)
    moved = [ke.groups.act(f, "D4", element, "image") for element in range(8)]
    mean = np.mean([answers(stock, x) for x in moved], axis=0)
    assert not np.allclose(mean, answers(stock, f), atol=1e-3)
    np.testing.assert_allclose(answers(twin, f), mean, atol=1e-5)
    assert set(twin.conversion.lost.values()) == {0.0}


@pytest.mark.parametrize("match", ["parameters", "multiply-adds"])
def test_costs_match(match):
    # Wide enough that a field more or less is no large part.
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(96, 3, padding="same", activation="relu")(image)
    x = layers.Conv2D(96, 3, padding="same", activation="relu")(layers.MaxPooling2D()(x))
    stock = keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))
    twin = ke.equivariant(stock, "C4", match=match)
    assert cost(twin, match) / cost(stock, match) == pytest.approx(1, abs=0.05)


def test_subclassed_models_are_followed():
    @keras.saving.register_keras_serializable("test_equivariant")
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.stem = layers.Conv2D(4, 3, padding="same", activation="relu")
            self.head = layers.Dense(2)

        def call(self, x):
            x = keras.activations.relu(self.stem(x))
            x = keras.ops.pad(x + 1.0, [[0, 0], [1, 1], [1, 1], [0, 0]])
            return self.head(keras.ops.mean(x, axis=(1, 2)))

    model = Own()
    model(np.zeros((1, 8, 8, 1), "float32"))
    twin = shake(ke.equivariant(model, "D4"))
    assert ke.certify(twin).verdict == "exact"


@pytest.mark.parametrize(("right", "exact"), [(1, True), (2, False)])
def test_zeros_around_a_regular_map_are_judged_by_their_sides(right, exact):
    image = keras.Input((8, 8, 1))
    x = ke.layers.LiftingConv2D(2, 3, group="D4", padding="same")(image)
    x = keras.ops.pad(x, [[0, 0], [1, 1], [1, right], [0, 0], [0, 0]])
    with contextlib.nullcontext() if exact else pytest.warns(UserWarning, match="must treat all sides alike"):
        pooled = ke.layers.GroupPooling(strict=exact)(x)
    assert (ke.certify(shake(keras.Model(image, pooled))).verdict == "exact") == exact


def test_features_are_padded_by_any_number_and_vectors_by_zero():
    image = keras.Input((9, 9, 1))
    widths = [[0, 0], [1, 1], [1, 1], [0, 0]]
    x = keras.ops.pad(layers.Conv2D(4, 3, padding="same")(image), widths, constant_values=float("-inf"))
    pooled = layers.GlobalAveragePooling2D()(layers.MaxPooling2D(3, 2)(x))
    report = ke.certify(shake(ke.equivariant(keras.Model(image, layers.Dense(2)(pooled)), "D4")))
    assert report.verdict == "exact"
    for number, exact in ((0.0, True), (1.0, False)):
        x = ke.layers.SteerableConv2D("1x0", "2x1", 3, group="C4", padding="same")(image)
        model = shake(keras.Model(image, keras.ops.pad(x, widths, constant_values=number)))
        found = ke.certify(model, output_layout="2x1")
        assert (found.verdict == "exact") == exact


def test_activation_functions_are_known_as_operations_too():
    """Subclassed models call functions, which become operations of other names than the layers."""
    x, found = keras.KerasTensor((None, 4)), {}
    for name in set(ELEMENTWISE) - {"linear"}:
        try:
            found[name] = type(getattr(keras.activations, name)(x)._keras_history.operation).__name__
        except ValueError as error:  # of Keras itself: hard_silu and mish of a KerasTensor
            assert "KerasTensor cannot be used" in str(error)
    assert len(found) > 12
    assert {name: kind for name, kind in found.items() if kind not in ELEMENTWISE_OPERATIONS} == {}


def doubled(x):
    return 2.0 * keras.ops.tanh(x)


@keras.saving.register_keras_serializable("tests")
def swish(x):
    return x * keras.ops.sigmoid(x)


OWN_ACTIVATIONS = {
    "lambda": lambda x: keras.ops.sin(x),
    "function": doubled,
    "registered": swish,
    "where": lambda x: keras.ops.where(x > 0, x, 0.1 * x),
}


def with_own_activation(activation):
    image = keras.Input((9, 9, 2))
    inner = keras.Sequential([keras.Input((9, 9, 4)), layers.Conv2D(4, 3, padding="same", activation=activation)])
    x = layers.SeparableConv2D(4, 3, padding="same", activation=activation)(layers.Activation(activation)(image))
    x = layers.Dense(4, activation=activation)(inner(inner(x)))
    return keras.Model(image, layers.Dense(2, activation=activation)(layers.Flatten()(x)))


@pytest.mark.parametrize("name", OWN_ACTIVATIONS)
def test_activations_of_your_own_are_followed(name, tmp_path):
    """Where Keras makes layers of their configuration, in which these are names that it may not know."""
    stock = shake(with_own_activation(OWN_ACTIVATIONS[name]))
    x = images(stock)
    for model in (shake(ke.equivariant(stock, "D4")), ke.symmetrize(stock, "D4")):
        assert ke.certify(model, angles=0).verdict == "exact"
        folded = ke.fold(model)
        np.testing.assert_allclose(answers(folded, x), answers(model, x), rtol=1e-4, atol=1e-5)
    folded.save(tmp_path / "folded.keras")
    again = keras.models.load_model(tmp_path / "folded.keras", custom_objects={})
    np.testing.assert_allclose(answers(again, x), answers(folded, x), rtol=1e-5, atol=1e-6)
    same = ke.equivariant(stock, "Z2", match=1.0, weights="project")
    assert same.count_params() == stock.count_params()
    np.testing.assert_allclose(answers(same, x), answers(stock, x), rtol=1e-5, atol=1e-6)


def test_an_activation_of_your_own_that_breaks_the_symmetry_is_named():
    stock = with_own_activation(lambda x: x * keras.ops.roll(x, 1, axis=1))
    with pytest.raises(ValueError, match='Roll inside "activation'):
        ke.equivariant(stock, "D4")


def test_regularizers_and_constraints_of_your_own_are_kept():
    image = keras.Input((9, 9, 1))
    own = {"kernel_regularizer": lambda w: keras.ops.sum(w**2), "kernel_constraint": lambda w: keras.ops.clip(w, -1, 1)}
    x = layers.Conv2D(2, 3, activation="relu", **own)(image)
    x = layers.Dense(3, **own)(layers.SeparableConv2D(2, 3, bias_regularizer=own["kernel_regularizer"])(x))
    twin = ke.equivariant(keras.Model(image, layers.GlobalAveragePooling2D()(x)), "C4", match=1.0)
    assert len(twin.losses) == 3
    assert ke.certify(twin, angles=0).verdict == "exact"


def test_a_layer_shared_by_the_image_and_by_features_is_named():
    image = keras.Input((9, 9, 4))
    shared = layers.Conv2D(4, 3, padding="same", name="shared")
    x = layers.Conv2D(4, 3)(shared(shared(image)))
    with pytest.raises(ValueError, match='"shared" .* is shared by the image and by features made of it'):
        ke.equivariant(keras.Model(image, layers.GlobalAveragePooling2D()(x)), "D4")


def test_what_has_no_counterpart_is_named_once():
    image = keras.Input((8, 8, 1))
    x = keras.ops.cumsum(keras.ops.cumsum(layers.Conv2D(2, 3)(image), axis=1), axis=1)
    with pytest.raises(ValueError) as error:
        ke.equivariant(keras.Model(image, x), "D4")
    assert str(error.value).count("Cumsum is no operation") == 1


def test_a_table_says_what_became_of_each_layer():
    twin = ke.equivariant(NETWORKS["residual"](), "C4")
    text = ke.conversion_table(twin)
    assert "LiftingConv2D" in text and "a window of 4x4 in place of 3x3" in text and "of the original" in text
    with pytest.raises(ValueError, match="convert the original again"):
        ke.conversion_table(keras.models.clone_model(twin))


def test_feature_maps_come_pooled_or_with_the_group_axis():
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(image)
    stock = keras.Model(image, layers.ReLU()(layers.BatchNormalization()(x)))
    assert ke.equivariant(stock, "C4", match="channels").output_shape == (None, 8, 8, 4)
    twin = shake(ke.equivariant(stock, "C4", match="channels", outputs="regular"))
    assert twin.output_shape == (None, 8, 8, 4, 4)
    assert ke.certify(twin).verdict == "exact"


class Own(layers.Layer):
    """A layer of which nothing is known."""

    def build(self, shape):
        self.offset = self.add_weight(shape=shape[1:])

    def call(self, x):
        return keras.ops.tanh(x + self.offset)


class Reflected(layers.Layer):
    """A layer that holds nothing, as people write them around keras.ops."""

    def call(self, x):
        return keras.ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="reflect")


class Noisy(layers.Layer):
    def call(self, x):
        return x + keras.random.normal((1, 1, 1, 4))


def scaled_by_chance(x):
    return x * np.random.default_rng().random()


def otherwise_in_training(x, training=None):
    return 2 * x if training else x


def halved_where_known(x):
    return x / 2 if float(keras.ops.max(keras.ops.abs(x))) > 0 else x


def behind(*some_layers, size=(8, 8, 3)):
    """A network of a convolution and these layers."""
    return keras.Sequential([keras.Input(size), layers.Conv2D(4, 3, padding="same"), *some_layers])


def before(layer, size):
    """A network that begins with this layer."""
    return keras.Sequential([keras.Input(size), layer, layers.Conv2D(4, 3, padding="same")])


def attentive(**options):
    """A network whose last layer is attention of a map to itself."""
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(8, 3, padding="same")(image)
    return keras.Model(image, layers.MultiHeadAttention(2, 4, **options)(x, x))


def sequence():
    """Attention over pixels that were made a sequence."""
    image = keras.Input((8, 8, 3))
    x = layers.Reshape((64, 4))(layers.Conv2D(4, 3, padding="same")(image))
    return keras.Model(image, layers.GlobalAveragePooling1D()(layers.Attention()([x, x])))


REFUSED = {
    "custom": (lambda: behind(Own()), "replacements="),
    "lambda": (
        lambda: behind(layers.Lambda(lambda x: x[:, ::-1])),
        "GetItem inside .* take ranges of channels and pixels",
    ),
    "code": (lambda: behind(layers.Lambda(halved_where_known, lambda shape: shape)), "use stock layers or operations"),
    "noise": (lambda: behind(Noisy()), "replacements="),
    "chance": (lambda: behind(layers.Lambda(scaled_by_chance)), "use stock layers or operations"),
    "training": (lambda: behind(layers.Lambda(otherwise_in_training)), "use stock layers or operations"),
    "cropping": (lambda: behind(layers.Cropping2D(((1, 0), (0, 0)))), "crop as much at every side"),
    "padding": (
        lambda: behind(layers.ZeroPadding2D(((0, 1), (0, 1))), layers.Conv2D(4, 3, padding="same")),
        "at both ends before it, where 9x9 became 10x10 pixels",
    ),
    "recurrent": (lambda: behind(layers.ConvLSTM1D(2, 3)), "TimeDistributed"),
    "reshape": (lambda: behind(layers.ReLU(), layers.Reshape((4, 8, 8))), "GlobalAveragePooling"),
    "stride": (lambda: behind(layers.Conv2D(4, 3, strides=(1, 2), padding="same")), "strict=False"),
    "statistics": (lambda: behind(layers.LayerNormalization(axis=[1, 2, 3])), "axis=-1"),
    "slopes": (lambda: behind(layers.PReLU()), r"shared_axes=\[1, 2\]"),
    "channels_first": (lambda: behind(layers.UpSampling2D(data_format="channels_first")), '"channels_last"'),
    "resizing": (lambda: behind(layers.CenterCrop(5, 5)), "differ by even numbers"),
    "interpolation": (lambda: behind(layers.ReLU(), layers.Resizing(6, 6, interpolation="bicubic")), 'use "bilinear"'),
    "aspect ratio": (lambda: behind(layers.Resizing(6, 4, crop_to_aspect_ratio=True)), "differ by even numbers"),
    "axial attention": (lambda: attentive(attention_axes=(1,)), r"attention_axes=\(1, 2\)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_counterpart_is_named_with_a_remedy(name):
    build, remedy = REFUSED[name]
    stock = build()
    with pytest.raises(ValueError, match=remedy) as caught:
        ke.equivariant(stock, "D4")
    assert f'"{stock.layers[-1].name}"' in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ReLU": layers.ReLU}, "`replacements` must be a dict from classes"),
        ({layers.ReLU: None}, "`replacements` must be a dict from classes"),
        ([layers.ReLU], "`replacements` must be a dict from classes"),
        ({layers.ReLU: lambda layer: None}, 'must give a layer.*Received: None for "re_lu.*Identity'),
    ],
)
def test_replacements_that_are_none(given, message):
    with pytest.raises(TypeError, match=message):
        ke.equivariant(behind(layers.ReLU(), layers.GlobalAveragePooling2D()), "D4", replacements=given)


def frames():
    """A recurrent network behind one that sees a frame at a time, whose twin is made."""
    return keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()])


REMEDIES = {
    "lambda": (lambda: behind(layers.Lambda(lambda x: keras.ops.relu(x) ** 2 + 1)), {}),
    "function": (lambda: behind(Reflected(), layers.ReLU(), layers.Conv2D(3, 3)), {}),
    "closed function": (
        lambda: behind(Reflected()),
        {"replacements": {Reflected: lambda _: layers.Activation("tanh")}},
    ),
    "recurrent": (frames, {}),
    "attention": (attentive, {}),
    "spectral": (lambda: behind(layers.SpectralNormalization(layers.Conv2D(4, 3, strides=2, padding="same"))), {}),
    "custom": (lambda: behind(Own()), {"replacements": {Own: lambda layer: layers.Activation("tanh")}}),
    "cropping": (lambda: behind(layers.Cropping2D(1)), {}),
    "statistics": (lambda: behind(layers.GroupNormalization(1)), {}),
    "slopes": (lambda: behind(layers.PReLU(shared_axes=[1, 2])), {}),
    "reshape": (lambda: behind(layers.GlobalAveragePooling2D()), {}),
    "resizing": (lambda: behind(layers.CenterCrop(6, 4), size=(8, 8, 3)), {"group": "D2"}),
    "interpolation": (lambda: behind(layers.Resizing(6, 6)), {}),
    "aspect ratio": (lambda: before(layers.Resizing(6, 6, crop_to_aspect_ratio=True), (10, 8, 3)), {"group": "D2"}),
    "features": (lambda: behind(layers.ReLU(), layers.CenterCrop(6, 6), layers.Resizing(9, 9)), {}),
    "features to a ratio": (
        lambda: behind(layers.ReLU(), layers.Resizing(5, 4, crop_to_aspect_ratio=True), size=(8, 8, 3)),
        {"group": "D2"},
    ),
}


@pytest.mark.parametrize("name", REMEDIES)
def test_remedies_help(name):
    build, options = REMEDIES[name]
    twin = shake(ke.equivariant(build(), **{"group": "D4", "match": "channels", **options}))
    assert ke.certify(twin).verdict == "exact"


@keras.saving.register_keras_serializable("test_equivariant")
class Twice(layers.Layer):
    def call(self, x):
        return 2 * x


def behind_pooling(*some_layers, **options):
    """A network whose last layers see numbers that no group moves."""
    return behind(layers.GlobalAveragePooling2D(), layers.Dense(6, activation="relu"), *some_layers, **options)


def pairs():
    """How alike two images are, by a model inside, and a number that stands beside them."""
    images, number = [keras.Input((8, 8, 1), name=name) for name in "ab"], keras.Input((2,), name="number")
    within = behind_pooling(layers.Dense(4), size=(8, 8, 1))
    alike = layers.Dot(-1, normalize=True)([within(x) for x in images])
    return keras.Model([*images, number], layers.Dense(1)(layers.Concatenate()([alike, number])))


def test_channels_are_split():
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 3, padding="same")(image)
    gate, value = keras.ops.split(x, 2, axis=-1)
    first, second, rest = keras.ops.split(layers.Conv2D(9, 3)(value * keras.ops.sigmoid(gate)), [2, 5], axis=-1)
    x = keras.ops.concatenate([keras.ops.relu(second), rest, first], axis=-1)
    stock = shake(keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(x))))
    for match in ("channels", "parameters", 1.0):
        twin = shake(ke.equivariant(stock, "D4", match=match))
        assert ke.certify(twin).verdict == "exact"
    np.testing.assert_allclose(answers(ke.fold(twin), images(stock)), answers(twin, images(stock)), atol=1e-5)
    same = ke.equivariant(stock, "Z2", match=1.0, weights="project")
    np.testing.assert_allclose(answers(same, images(stock)), answers(stock, images(stock)), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="split channels, axis=-1"):
        ke.equivariant(keras.Model(image, keras.ops.split(layers.Conv2D(4, 3)(image), 2, axis=1)), "D4")


def test_ranges_are_taken():
    image = keras.Input((10, 10, 3))
    x = layers.Conv2D(6, 3, padding="same", activation="relu")(image)
    y = layers.Conv2D(4, 3)(x)  # 8x8
    joined = keras.ops.concatenate([x[:, 1:-1, 1:9, :2], y, x[:, 1:-1, 1:-1, 4:] * y[..., 1:3]], axis=-1)
    stock = shake(keras.Model(image, layers.GlobalAveragePooling2D()(layers.Conv2D(5, 3, activation="relu")(joined))))
    twin = shake(ke.equivariant(stock, "D4"))
    assert ke.certify(twin).verdict == "exact"
    np.testing.assert_allclose(answers(ke.fold(twin), images(stock)), answers(twin, images(stock)), atol=1e-5)
    same = ke.equivariant(stock, "Z2", match=1.0, weights="project")
    np.testing.assert_allclose(answers(same, images(stock)), answers(stock, images(stock)), rtol=1e-5, atol=1e-6)
    image_of_any_size = keras.Input((None, None, 3))
    curve = layers.Conv2D(6, 3, padding="same", activation="tanh")(image_of_any_size)
    curved = image_of_any_size * curve[..., :3] + curve[..., 3:]
    twin = shake(ke.equivariant(keras.Model(image_of_any_size, curved), "D4"))
    assert twin.output_shape == (None, None, None, 3) and ke.certify(twin).verdict == "exact"
    with pytest.raises(ValueError, match="ranges of channels and pixels"):
        ke.equivariant(keras.Model(image, x[:, ::2, ::2]), "D4")
    with pytest.raises(ValueError, match="crop as much at every side"):
        ke.equivariant(keras.Model(image, layers.Conv2D(4, 3)(x[:, 1:, 1:])), "D4")


@pytest.mark.parametrize(
    "widened",
    [
        lambda s: s[:, None, None],
        lambda s: s[:, None, None, :],
        lambda s: keras.ops.expand_dims(keras.ops.expand_dims(s, 1), 1),
        lambda s: keras.ops.expand_dims(s, (1, 2)),
    ],
)
def test_excitation_by_operations(widened):
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(8, 3, padding="same")(image)
    excited = layers.Dense(8, "sigmoid")(layers.Dense(2, "relu")(keras.ops.mean(x, axis=(1, 2))))
    x = keras.ops.max(x * widened(excited), axis=(1, 2), keepdims=True)
    stock = keras.Model(image, layers.Dense(2)(keras.ops.squeeze(x, axis=(1, 2))))
    twin = shake(ke.equivariant(stock, "D4"))
    assert ke.certify(twin).verdict == "exact"
    assert twin.count_params() == pytest.approx(stock.count_params(), rel=0.2)


def test_attention_to_places():
    """As in Woo et al., CBAM, arXiv 1807.06521, section 3."""
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 3, padding="same", activation="relu")(image)
    seen = [keras.ops.mean(x, axis=-1, keepdims=True), keras.ops.max(x, axis=3, keepdims=True)]
    x = x * layers.Conv2D(1, 7, padding="same", activation="sigmoid")(layers.Concatenate()(seen))
    stock = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    twin = shake(ke.equivariant(stock, "D4"))
    assert ke.certify(twin).verdict == "exact"
    np.testing.assert_allclose(answers(ke.fold(twin), images(stock)), answers(twin, images(stock)), atol=1e-5)
    same = ke.equivariant(shake(stock), "Z2", match=1.0, weights="project")
    np.testing.assert_allclose(answers(same, images(stock)), answers(stock, images(stock)), rtol=1e-5, atol=1e-6)


INVARIANTS = {
    "recurrent": lambda: behind_pooling(layers.Reshape((3, 2)), layers.LSTM(4), layers.Dense(2)),
    "decoder": lambda: behind_pooling(layers.Dense(16), layers.Reshape((4, 4, 1)), layers.Conv2DTranspose(2, 3)),
    "lambda": lambda: behind_pooling(layers.Lambda(lambda x: x[:, ::-1]), layers.Dense(2)),
    "own": lambda: behind_pooling(Twice(), layers.RepeatVector(3)),
    "pairs": pairs,
}


@pytest.mark.parametrize("name", INVARIANTS)
def test_any_layer_stays_where_no_group_moves_anything(name):
    stock = INVARIANTS[name]()
    expected = pytest.warns(match="does not|do not move") if name == "decoder" else contextlib.nullcontext()
    with expected:
        twin = shake(ke.equivariant(stock, "D4", match="channels", strict=name != "decoder"))
    rng = np.random.default_rng(0)
    given = [rng.standard_normal((2, *x.shape[1:])).astype("float32") for x in stock.inputs]
    moved = [ke.groups.act(x, "D4", 3, "image") if x.ndim == 4 else x for x in given]
    found = answers(twin, given if len(given) > 1 else given[0])
    assert np.ptp(found) > 1e-3
    changed = answers(shake(stock), given if len(given) > 1 else given[0])
    assert np.abs(answers(stock, moved if len(moved) > 1 else moved[0]) - changed).max() > 1e-4
    np.testing.assert_allclose(answers(twin, moved if len(given) > 1 else moved[0]), found, rtol=1e-4, atol=1e-5)
    same = ke.equivariant(stock, "Z2", match=1.0, weights="project")
    x = given if len(given) > 1 else given[0]
    np.testing.assert_allclose(answers(same, x), answers(stock, x), rtol=1e-4, atol=1e-5)


def autoencoder(skip):
    image = keras.Input((8, 8, 1))
    seen = layers.Conv2D(4, 3, strides=2, padding="same")(image)
    x = layers.Dense(64, activation="relu")(layers.Dense(5)(layers.Flatten()(seen)))
    x = skip(layers.Reshape((4, 4, 4), name="unpacked")(x), seen)
    return keras.Model(image, layers.Conv2DTranspose(1, 4, strides=2, padding="same", name="decoded")(x))


@pytest.mark.parametrize(
    ("skip", "says"),
    [
        (lambda x, seen: x, '"decoded" .* makes a map of numbers that do not move with the image.*strict=False keeps'),
        (lambda x, seen: layers.Concatenate(name="joined")([x, seen]), '"joined" .* and a map of numbers that do not'),
        (lambda x, seen: x + seen, "Add takes features that move with the image and a map of numbers"),
    ],
)
def test_a_map_made_of_invariants_does_not_pass_for_one_that_moves(skip, says):
    """And the remedies: a map all the way, the trained model as it is."""
    stock = autoencoder(skip)
    with pytest.raises(ValueError, match=says):
        ke.equivariant(stock, "D4")
    assert ke.certify(ke.symmetrize(shake(stock), "D4"), angles=0).verdict == "exact"
    image = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 4, strides=2, padding="same", activation="relu")(image)
    x = layers.Conv2DTranspose(1, 4, strides=2, padding="same")(x)
    assert ke.certify(shake(ke.equivariant(keras.Model(image, x), "D4")), angles=0).verdict == "exact"


@pytest.mark.parametrize("make", [ke.equivariant, ke.symmetrize])
def test_several_outputs_keep_their_names(make):
    image = keras.Input((8, 8, 1))
    x = layers.Conv2D(2, 3, activation="relu")(image)
    flat = layers.Flatten()(x)
    outputs = [layers.Dense(3, "softmax", name="kind")(flat), layers.Dense(1, name="size")(flat)]
    model = make(keras.Model(image, [*outputs, layers.Conv2D(1, 1, name="mask")(x)]), "C4")
    assert model.output_names == ["kind", "size", "mask"]
    rng = np.random.default_rng(0)
    targets = {"kind": np.eye(3)[[0, 1]], "size": rng.normal(size=(2, 1)), "mask": rng.normal(size=(2, 6, 6, 1))}
    model.compile(loss=dict.fromkeys(targets, "mse"), optimizer="sgd")
    model.fit(rng.normal(size=(2, 8, 8, 1)), targets, verbose=0)
    assert ke.certify(model, angles=0).verdict == "exact"


def test_a_layer_shared_by_what_moves_and_what_does_not_is_named():
    image, still = keras.Input((8, 8, 1)), keras.Input((16,))
    shared = layers.Conv2D(2, 3, name="shared")
    drawn = layers.Reshape((4, 4, 1))(still)
    both = [layers.GlobalAveragePooling2D()(shared(x)) for x in (image, drawn)]
    stock = keras.Model([image, still], layers.Add()(both))
    with pytest.raises(ValueError, match='"shared" .*use a layer for each'):
        ke.equivariant(stock, "D4")


def test_attention_and_spectral_normalization():
    for stock in (attentive(), behind(layers.SpectralNormalization(layers.Conv2D(4, 3)))):
        shake(stock)
        x = images(stock)
        same = ke.equivariant(stock, "Z2", match=1.0, weights="project")
        np.testing.assert_allclose(answers(same, x), answers(stock, x), rtol=1e-5, atol=1e-6)
        twin = shake(ke.equivariant(stock, "D4", match="channels", outputs="regular"))
        np.testing.assert_allclose(answers(ke.fold(twin), x).ravel(), answers(twin, x).ravel(), atol=1e-5)
    assert any("SpectralNormalization" == type(layer).__name__ for layer in twin.layers)
    with pytest.raises(ValueError, match=r"Attention\) attends over a sequence; use .*attention_axes=\(1, 2\)"):
        ke.equivariant(sequence(), "D4")


def test_a_twin_of_frames_runs_before_a_recurrent_layer():
    twin = ke.equivariant(frames(), "C4", match="channels")
    clip = keras.Input((5, 8, 8, 3))
    model = keras.Model(clip, layers.LSTM(2)(layers.TimeDistributed(twin)(clip)))
    x = np.random.default_rng(0).standard_normal((2, 5, 8, 8, 3)).astype("float32")
    np.testing.assert_allclose(answers(model, np.rot90(x, axes=(2, 3)).copy()), answers(model, x), atol=1e-5)


def test_arguments_are_checked():
    stock = behind()
    for arguments, text in [
        ({"group": "SO2"}, "must be finite"),
        ({"group": "O"}, "name a group of the plane"),
        ({"match": "cost"}, "must be one of"),
        ({"match": -1}, "number of fields for each channel"),
        ({"weights": "copy"}, "must be one of"),
    ]:
        with pytest.raises(ValueError, match=text):
            ke.equivariant(stock, **arguments)
    with pytest.raises(TypeError, match=r"keras\.Model"):
        ke.equivariant(layers.Dense(2))


@pytest.mark.parametrize("make", [ke.equivariant, ke.symmetrize])
def test_a_series_is_told_to_be_an_image_of_one_row(make):
    def network(size, convolution, kernel, pooling):
        x = convolution(4, kernel, activation="relu")(series := keras.Input(size))
        return keras.Model(series, layers.Dense(2)(pooling()(x)))

    with pytest.raises(ValueError, match=r"image of one row \(B, 1, T, C\), which D1 mirrors"):
        make(network((12, 3), layers.Conv1D, 3, layers.GlobalAveragePooling1D), "D4")
    rows = network((1, 12, 3), layers.Conv2D, (1, 3), layers.GlobalAveragePooling2D)
    assert ke.certify(make(rows, "D1"), "D1").verdict == "exact"


@pytest.mark.parametrize("augment", [layers.RandomFlip(), layers.RandomContrast(0.1), layers.RandomZoom(0.1)])
def test_augmentation_takes_images_alone(augment):
    image = keras.Input((8, 8, 3))
    head = [layers.Conv2D(4, 3, padding="same"), layers.GlobalAveragePooling2D()]
    before = keras.Sequential([image, type(augment).from_config(augment.get_config()), *head])
    assert ke.certify(ke.equivariant(before, "D4"), layers=False, samples=1).verdict == "exact"
    end = [layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()]
    behind = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3), augment, *end])
    with pytest.raises(ValueError, match="takes images, and features have a group axis; use it before the first"):
        ke.equivariant(behind, "D4")
    lifted = ke.layers.LiftingConv2D(2, 3, group="D4")(image)
    with pytest.raises(ValueError, match="takes images of four axes.*use it before the lifting convolution"):
        ke.layers.GroupConv2D(2, 3, group="D4")(type(augment).from_config(augment.get_config())(lifted))


@pytest.mark.parametrize("match", ["parameters", "multiply-adds", "channels"])
def test_networks_without_weights_are_their_own_twins(match):
    image = keras.Input((8, 8, 3))
    stock = keras.Model(image, layers.GlobalMaxPooling2D()(layers.ReLU()(layers.MaxPooling2D(2)(image))))
    twin = ke.equivariant(stock, "D4", match=match)
    x = np.random.default_rng(0).standard_normal((2, 8, 8, 3)).astype("float32")
    np.testing.assert_array_equal(twin(x), stock(x))
