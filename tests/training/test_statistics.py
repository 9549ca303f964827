"""Averages of batch normalization over the whole data set, and what a short training reports with and without."""

import keras
import numpy as np
import pytest
from keras import layers as K
from tiny_training import SPEC, save_shapes

import keras_equivariant as ke
from keras_equivariant.training.evaluation import accuracy

RNG = np.random.default_rng(0)


def test_the_averages_are_those_of_the_data():
    x = RNG.normal(3.0, 2.0, (300, 5)).astype("float32")
    model = keras.Sequential([keras.Input((5,)), K.Dropout(0.5), K.GaussianNoise(0.9), K.BatchNormalization()])
    for data in (x, [(part, None) for part in np.split(x, 10)].__iter__()):
        model.layers[-1].moving_mean.assign(np.ones(5))
        assert ke.recompute_statistics(model, data, batch_size=64) == 1
        np.testing.assert_allclose(model.layers[-1].moving_mean, x.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(model.layers[-1].moving_variance, x.var(axis=0), rtol=1e-4)
    assert (model.layers[0].rate, model.layers[1].stddev, model.layers[2].momentum) == (0.5, 0.9, 0.99)


def test_every_batch_normalization_is_found():
    image = keras.Input((9, 9, 1))
    x = ke.layers.LiftingConv2D(2, 3, group="C4")(image)
    x = ke.layers.BatchNormalization(activation="relu")(x)
    x = ke.layers.FlattenFields("C4")(x)
    x = ke.layers.SteerableBatchNormalization("2xregular", group="C4")(x)
    inner = keras.Sequential([keras.Input((7, 7, 8)), keras.layers.BatchNormalization()], name="inner")
    x = keras.layers.Conv2D(3, 1)(inner(x))
    y = ke.layers.HarmonicConv2D(2, 3)(image)
    y = ke.layers.HarmonicMagnitude()(ke.layers.HarmonicBatchNormalization("relu")(y))
    model = keras.Model(image, [x, y])
    images = RNG.normal(size=(64, 9, 9, 1)).astype("float32")
    before = [np.array(w) for w in model.weights]
    assert ke.recompute_statistics(model, images) == 4
    changed = {w.path.split("/")[-1] for w, old in zip(model.weights, before, strict=True) if not np.allclose(w, old)}
    assert changed == {"moving_mean", "moving_variance"}
    frozen = keras.Sequential([keras.Input((3,)), keras.layers.BatchNormalization(trainable=False)])
    assert ke.recompute_statistics(frozen, np.ones((4, 3))) == 0


def test_no_data():
    model = keras.Sequential([keras.Input((5,)), keras.layers.BatchNormalization()])
    with pytest.raises(ValueError, match="must be data"):
        ke.recompute_statistics(model, np.zeros((0, 5)))


@pytest.mark.tensorflow
def test_a_short_training_tests_what_it_trained(tmp_path):
    """Four steps with momentum 0.99 leave the averages at their start."""
    data = save_shapes(tmp_path / "shapes.npz", count=120)
    spec = {**SPEC, "params": {"classes": 3, "size": 8, "channels": 1}}
    options = {"epochs": 2, "batch_size": 60, "angle_step": 90, "export_formats": (), "verbose": 0}
    result = ke.train(spec, data, tmp_path / "run", **options)
    (layer,) = [layer for layer in result.model.layers if hasattr(layer, "moving_variance")]
    assert not np.allclose(layer.moving_mean, 0, atol=0.02)
    saved = keras.models.load_model(tmp_path / "run" / "model.keras")
    images = ke.data.load(data)
    assert accuracy(saved, images.x_test, images.y_test) == result.test_accuracy


def test_a_schedule_that_starts_after_the_last_epoch_is_constant():
    from keras_equivariant.training.recipe import Recipe

    recipe = Recipe.from_dict({"optimizer": "Adam", "schedule": {"exponential": {"start": 15, "factor": 0.8}}})
    assert float(recipe.make_optimizer(10, 5).learning_rate) == pytest.approx(1e-3)
    rate = recipe.make_optimizer(10, 20)._learning_rate
    assert float(rate(0)) == pytest.approx(1e-3) and float(rate(199)) == pytest.approx(1e-3 * 0.8**5)


@pytest.mark.parametrize(("name", "rate"), [("SGD", 0.01), ("Adam", 0.001)])
def test_a_schedule_begins_at_the_learning_rate_that_the_optimizer_has_without_one(name, rate):
    from keras_equivariant.training.recipe import Recipe

    plain = Recipe.from_dict({"optimizer": name}).make_optimizer(10, 5)
    scheduled = Recipe.from_dict({"optimizer": name, "schedule": "cosine"}).make_optimizer(10, 5)
    assert float(plain.learning_rate) == float(scheduled.learning_rate) == pytest.approx(rate)
