"""The recipe's penalty on the Lie derivative: what it measures, and that training with it lowers the certificate's."""

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.data import Dataset
from keras_equivariant.equivariance import lie_penalty
from keras_equivariant.equivariance.layouts import windowed
from keras_equivariant.equivariance.lie_penalty import with_lie_penalty
from keras_equivariant.groups.layouts import Image
from keras_equivariant.training import fit

RNG = np.random.default_rng(0)


def smooth(count, size=9, channels=1):
    x = RNG.normal(size=(count, size, size, channels))
    for axis in (1, 2):
        x = sum(np.roll(x, shift, axis) for shift in (-1, 0, 1)) / 2
    return x.astype("float32")


def wide(size=9):
    """Of frequencies that a kernel of 3x3 pixels cannot rotate."""
    keras.utils.set_random_seed(0)
    image = keras.Input((size, size, 1))
    options = {"group": "SO2", "padding": "same", "frequency_cutoff": 2.0}
    x = ke.layers.SteerableConv2D("1x0", "6x0 + 2x1 + 2x2", 3, **options)(image)
    x = ke.layers.GatedActivation("4x0", "SO2", activation="tanh")(
        ke.layers.SteerableConv2D("6x0 + 2x1 + 2x2", "4x0", 3, **options)(x)
    )
    return keras.Model(image, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))


def penalty_of(model, x, weight=1.0):
    wrapped = with_lie_penalty(model, weight)
    wrapped(x, training=True)
    (loss,) = wrapped.losses
    return float(keras.ops.convert_to_numpy(loss))


def test_it_is_the_square_of_the_relative_lie_derivative(monkeypatch):
    monkeypatch.setattr(lie_penalty, "LARGEST_MOVE", 0.02)
    model, x = wide(), smooth(4)
    disc = windowed(x, Image())
    expected = ke.certify(model, "SO2", x, angles=2, layers=False).lie_derivative
    np.testing.assert_allclose(penalty_of(model, disc), expected**2, rtol=0.05)
    np.testing.assert_allclose(penalty_of(model, disc, 3.0), 3 * penalty_of(model, disc), rtol=1e-5)


def test_an_image_of_every_pixel_has_none():
    image = keras.Input((9, 9, 1))
    assert penalty_of(keras.Model(image, keras.layers.Dense(2)(image)), smooth(4)) < 1e-8
    shifted = keras.Model(image, keras.layers.Conv2D(1, 3, padding="same")(image))
    assert penalty_of(shifted, smooth(4)) > 1e-2


@pytest.mark.parametrize("group", ["SO2", "SO3"])
def test_fields_of_vectors_rotate(group):
    """The gradient of an image is a field of vectors, nearly; the same numbers taken for scalars are not."""
    shape = (9, 9, 1) if group == "SO2" else (7, 7, 7, 1)
    conv = {"SO2": ke.layers.SteerableConv2D, "SO3": ke.layers.SteerableConv3D}[group]
    scalar = {"SO2": "1x0", "SO3": "1x0"}[group]
    image = keras.Input(shape)
    keras.utils.set_random_seed(0)
    model = keras.Model(image, conv(scalar, "1x1", 5, group=group, padding="same", use_bias=False)(image))
    x = RNG.normal(size=(3, *shape))
    for axis in range(1, len(shape)):
        for _ in range(3):
            x = sum(np.roll(x, shift, axis) for shift in (-1, 0, 1)) / 2
    as_numbers = keras.Model(image, keras.layers.Lambda(lambda y: y)(model(image)))
    assert penalty_of(model, x.astype("float32")) < 0.35 * penalty_of(as_numbers, x.astype("float32"))


def test_inference_and_weights_are_the_models():
    model, x = wide(), smooth(2)
    wrapped = with_lie_penalty(model, 1.0)
    np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(m(x, training=False)) for m in (wrapped, model)))
    assert [id(w) for w in wrapped.trainable_weights] == [id(w) for w in model.trainable_weights]


def test_points_are_refused():
    points = keras.Input((5, 2))
    with pytest.raises(ValueError, match="rotates images or volumes of known size. Received: inputs of shape"):
        with_lie_penalty(keras.Model(points, keras.layers.Dense(2)(points)), 1.0)


def test_training_with_it_lowers_the_certificate():
    """Of a plain network that tells stripes by their direction, which the penalty forbids."""
    labels, stripes = np.arange(64) % 2, smooth(64)
    for axis in (1, 1, 1):
        stripes = sum(np.roll(stripes, shift, axis) for shift in (-1, 0, 1)) / 2
    x = np.where(labels[:, None, None, None], stripes, stripes.swapaxes(1, 2)).astype("float32")
    found = {}
    for weight in (0.0, 3.0):
        keras.utils.set_random_seed(0)
        head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]
        model = keras.Sequential([keras.Input((9, 9, 1)), keras.layers.Conv2D(8, 3, activation="relu"), *head])
        trained = with_lie_penalty(model, weight)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        trained.compile(optimizer=keras.optimizers.Adam(0.02), loss=loss)
        trained.fit(windowed(x, Image()), labels, batch_size=32, epochs=15, verbose=0)
        report = ke.certify(model, "SO2", x[:12], angles=2, layers=False, dtypes=["float32"])
        found[weight] = report.lie_derivative
    assert found[3.0] < 0.5 * found[0.0] and found[0.0] > 0.3, found


def test_a_recipe_asks_for_it(tmp_path, monkeypatch):
    class Asked(Exception):
        pass

    def ask(model, weight):
        raise Asked(weight)

    monkeypatch.setattr(fit, "with_lie_penalty", ask)
    x, labels = smooth(12), np.arange(12) % 3
    data = Dataset(name="tiny", description="", x_train=x, y_train=labels, x_test=x, y_test=labels)
    with pytest.raises(Asked, match="0.25"):
        ke.train(
            wide(), data, tmp_path, recipe={"lie_derivative_penalty": 0.25}, epochs=1, export_formats=(), verbose=0
        )
