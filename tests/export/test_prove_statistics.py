"""Means, spreads and maxima of an example, in normalizations and by themselves, proved from the files."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_equivariant as ke

FORMATS = ["keras", "tflite", "onnx"]
NORMALIZATIONS = {
    "layer": layers.LayerNormalization,
    "groups": lambda: layers.GroupNormalization(2),
    "instance": lambda: layers.GroupNormalization(-1),
    "all": lambda: layers.GroupNormalization(1),
    "root mean square": layers.RMSNormalization,
    "unit": layers.UnitNormalization,
}
REDUCTIONS = {
    "std": lambda x: ops.std(x, axis=(1, 2)),
    "var": lambda x: ops.var(x, axis=(-2, -3)),
    "sum": lambda x: ops.sum(x, axis=[1, 2]),
    "min": lambda x: ops.min(x, axis=(1, 2)),
    "logsumexp": lambda x: ops.logsumexp(x, axis=(1, 2)),
    "mean and std": lambda x: ops.concatenate([ops.mean(x, axis=(1, 2)), ops.std(x, axis=(1, 2))], axis=-1),
    "std with axes": lambda x: layers.Flatten()(ops.std(x, axis=(1, 2), keepdims=True)),
}


def twins(between):
    """A network of stock layers with something between its convolution and its head, and its twin on D4."""
    image = keras.Input((8, 8, 3))
    y = between(layers.Conv2D(8, 3, padding="same")(image))
    plain = keras.Model(image, layers.Dense(3)(y), name="plain")
    found = plain, ke.equivariant(plain, "D4", match=1.0)
    for model in found:
        rng = np.random.default_rng(0)
        model.set_weights([w + rng.normal(size=w.shape) for w in model.get_weights()])
    return found


def check(between, folder):
    _, twin = twins(between)
    report = ke.export(twin, folder, FORMATS)
    assert [a.proof.verdict for a in report.artifacts] == ["proved"] * 3
    images = np.random.default_rng(1).normal(size=(2, 8, 8, 3))
    answers = [ops.convert_to_numpy(twin(x)) for x in (images, np.rot90(images, 1, (1, 2)), images[:, ::-1])]
    assert max(np.abs(y - answers[0]).max() for y in answers) < 1e-5 * np.abs(answers[0]).max()


def normalized(x, names=NORMALIZATIONS):
    for name in names:
        x = NORMALIZATIONS[name]()(x)
    return layers.GlobalAveragePooling2D()(x)


def test_normalizations_over_channels_are_proved(tmp_path):
    """Their scales are wider than the one number of each pixel that they multiply."""
    check(normalized, tmp_path)


def test_what_is_reduced_over_all_pixels_is_converted_and_proved(tmp_path):
    check(lambda x: layers.Concatenate()([reduce(x) for reduce in REDUCTIONS.values()]), tmp_path)


@pytest.mark.parametrize("between", [*NORMALIZATIONS, *REDUCTIONS])
def test_in_plain_networks_and_their_twins(between):
    reduce = REDUCTIONS.get(between, lambda x: normalized(x, [between]))
    plain, twin = twins(reduce)
    assert ke.prove(ke.fold(twin), "D4").verdict == "proved"
    assert ke.prove(plain, "D4").verdict == "not proved"


def test_weights_of_places_are_not_proved():
    """A normalization over the pixels has a scale for each of them."""
    image = keras.Input((8, 8, 1))
    x = ke.layers.GroupPooling()(ke.layers.LiftingConv2D(2, 3, "C4", padding="same")(image))
    model = keras.Model(image, layers.LayerNormalization(axis=(1, 2, 3))(x))
    assert ke.prove(ke.fold(model), "C4").verdict == "proved"
    gamma, beta = model.layers[-1].get_weights()
    model.layers[-1].set_weights([np.random.default_rng(0).normal(size=gamma.shape), beta])
    assert ke.prove(ke.fold(model), "C4").verdict != "proved"
