"""Weights are taken by name and configurations whole; what cannot be folded is refused by name; fold checks itself."""

import keras
import numpy as np
import pytest
from export_models import classes, lifted, randomize, relative_error
from keras import layers

import keras_equivariant as ke
from keras_equivariant.export.folding import stock_rules
from keras_equivariant.export.folding.comparison import check_same
from keras_equivariant.export.folding.fold import fold
from keras_equivariant.stock.inference import at_inference

L = ke.layers


def randomized(model):
    randomize(model)
    for weight in model.weights:
        if "stddev" in weight.name:
            weight.assign(keras.ops.abs(weight) + 0.5)
    return model


def check(model, *expected):
    inputs = np.random.default_rng(1).normal(size=(2, *model.input_shape[1:])).astype("float32")
    folded = fold(randomized(model))
    assert relative_error(folded(inputs), model(inputs, training=False)) <= 1e-5
    if expected:
        assert classes(folded) == list(expected)
    return folded


@pytest.mark.parametrize("make", [layers.BatchNormalization, L.BatchNormalization])
def test_renormalization_leaves_nothing_behind(make):
    image, x = lifted()
    check(
        keras.Model(image, make(renorm=True, renorm_clipping={"rmax": 2.0, "rmin": 0.5, "dmax": 1.0})(x)),
        "Conv2D",
        "Reshape",
    )
    image = keras.Input((8, 8, 2))
    assert not check(keras.Model(image, make(renorm=True)(image))).weights  # written out


@pytest.mark.parametrize("make", [layers.BatchNormalization, L.BatchNormalization])
@pytest.mark.parametrize("axis", [1, 2, 3, -2, 4])
@pytest.mark.parametrize("activation", [None, "relu"])
def test_statistics_along_any_axis(make, axis, activation):
    image, x = lifted(activation=activation)
    loose = {"strict": False} if make is L.BatchNormalization else {}  # statistics of each pixel or element
    check(keras.Model(image, make(axis=axis, **loose)(x)))
    image = keras.Input((8, 8, 2))
    x = layers.Conv2D(8, 3, padding="same", activation=activation)(image)
    check(keras.Model(image, make(axis=min(axis, 3))(x)))  # 8 pixels and 8 channels


@pytest.mark.parametrize("scale, center", [(True, False), (False, True), (False, False)])
def test_statistics_without_scale_or_center(scale, center):
    image, x = lifted()
    check(keras.Model(image, L.BatchNormalization(scale=scale, center=center, activation="relu")(x)))


@pytest.mark.parametrize("dense", [layers.Dense(4), layers.Dense(20)], ids=["small", "large"])
def test_adapters_of_low_rank_become_part_of_the_kernel(dense):
    image, x = lifted()
    dense = type(dense).from_config(dense.get_config())
    model = keras.Model(image, layers.BatchNormalization()(dense(x)))
    dense.enable_lora(2)
    folded = check(model)
    assert not any("lora" in w.name for w in folded.weights)
    image = keras.Input((6, 6, 6, 2))
    convolution = layers.Conv3D(2, 3)
    model = keras.Model(image, convolution(image))
    convolution.enable_lora(2)
    check(model, "Conv3D")


def test_a_quantised_model_is_refused_by_name_and_its_remedy_works():
    image, x = lifted()
    x = layers.GlobalAveragePooling2D()(L.GroupPooling("max")(x))
    model = randomized(keras.Model(image, layers.Dense(3, name="logits")(x)))
    folded = fold(model)
    model.quantize("int8")
    with pytest.raises(ValueError, match=r'"logits" of class keras.*mode "int8". Call ke.fold\(model\) first'):
        fold(model)
    inputs = np.random.default_rng(1).normal(size=(2, 8, 8, 2)).astype("float32")
    before = folded(inputs)
    folded.quantize("int8")
    assert relative_error(folded(inputs), before) < 0.1


def test_spectral_normalization_is_its_layer():
    image = keras.Input((8, 8, 2))
    x = layers.SpectralNormalization(layers.Conv2D(3, 3))(image)
    x = layers.SpectralNormalization(L.LiftingConv2D(3, 3, group="C4"))(layers.BatchNormalization()(x))
    check(keras.Model(image, x), "Conv2D", "Conv2D", "Reshape")


@pytest.mark.parametrize(
    "layer",
    [
        layers.GlobalAveragePooling3D(data_format="channels_first"),
        layers.GlobalMaxPooling3D(data_format="channels_first"),
        layers.Flatten(data_format="channels_first"),
        layers.UpSampling3D((1, 2, 1), data_format="channels_first"),
        layers.ZeroPadding3D((0, 1, 0), data_format="channels_first"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_channels_first_is_not_overlooked(layer):
    image, x = lifted()
    check(keras.Model(image, type(layer).from_config(layer.get_config())(x)))


class Incomplete(layers.Dense):
    """A layer whose configuration tells half of it."""

    def build(self, input_shape):
        super().build(input_shape)
        self.extra = self.add_weight(shape=(2,), name="extra")


def test_a_layer_with_more_weights_than_its_configuration_is_refused(monkeypatch):
    image = keras.Input((4,))
    model = keras.Model(image, Incomplete(3, name="more")(image))
    monkeypatch.setattr(Incomplete, "__module__", "keras.layers")
    monkeypatch.setattr(Incomplete, "from_config", lambda config: layers.Dense.from_config(config))
    with pytest.raises(ValueError, match='"more".*weights of shapes .*get_config|"more".*weights of shapes'):
        fold(model)


def test_fold_compares_itself_with_the_model(monkeypatch):
    image, x = lifted(activation="relu")
    model = randomized(keras.Model(image, layers.BatchNormalization()(x)))
    check_same(model, fold(model, verify=False))

    def wrong(layer):
        changes, weights = at_inference(layer)
        return changes, [w + 0.1 for w in weights]

    monkeypatch.setattr(stock_rules, "at_inference", wrong)
    with pytest.raises(ValueError, match="must answer as the model does.*output 0 differs by .*verify=False"):
        fold(model)
    fold(model, verify=False)


def test_the_comparison_takes_whole_numbers_and_open_sizes():
    tokens = keras.Input((None,), dtype="int32")
    x = layers.Embedding(5, 4)(tokens)
    fold(keras.Model(tokens, layers.GlobalAveragePooling1D()(x)))
    image = keras.Input((None, None, 2))
    fold(keras.Model(image, L.GroupPooling("max")(L.LiftingConv2D(2, 3, group="C4")(image))))
    batch = keras.Input(batch_shape=(3, 8, 8, 2))
    fold(keras.Model(batch, L.LiftingConv2D(2, 3, group="C4")(batch)))
