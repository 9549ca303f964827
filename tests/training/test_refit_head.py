"""A refit head is Fisher's linear discriminant of the features before it; nothing else of the model changes."""

import keras
import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from tiny_training import SPEC, plain, save_shapes

import keras_equivariant as ke

RNG = np.random.default_rng(0)


def classifier(classes, sequential=False, channels=6):
    keras.utils.set_random_seed(0)
    layers = [
        ke.layers.LiftingConv2D(channels, 3, group="C4", activation="relu"),
        ke.layers.GroupPooling("mean"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(classes),
    ]
    image = keras.Input((7, 7, 1))
    if sequential:
        return keras.Sequential([image, *layers])
    x = image
    for layer in layers:
        x = layer(x)
    return keras.Model(image, x)


def features_of(model, images):
    return np.asarray(keras.Model(model.inputs, model.layers[-1].input).predict(images, verbose=0), "float64")


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("sequential", [False, True])
def test_logits_are_those_of_the_linear_discriminant(classes, sequential):
    model = classifier(classes, sequential)
    labels = np.arange(90) % classes
    labels[:20] = 1  # classes of different size
    images = (RNG.normal(size=(90, 7, 7, 1)) * (1 + 0.1 * labels[:, None, None, None])).astype("float32")
    kept = [keras.ops.convert_to_numpy(w).copy() for w in model.weights[:-2]]
    assert ke.refit_head(model, images, labels) is model
    for weight, before in zip(model.weights, kept, strict=False):
        np.testing.assert_array_equal(weight, before)
    x = features_of(model, images)
    scale = x.std(axis=0)
    found = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(x / scale, labels)
    logits = np.asarray(model.predict(images, verbose=0), "float64")
    expected = found.decision_function(x / scale)
    if classes == 2:  # scikit-learn returns the difference of the two
        expected = np.stack([0 * expected, expected], axis=1)
    np.testing.assert_allclose(logits - logits[:, :1], expected - expected[:, :1], rtol=0, atol=2e-3)


def test_features_that_vary_within_classes_count_for_less():
    """Two classes 1 apart along the first feature, 1 along the second, which also scatters along it by 3 within each:
    rotated examples lie 6 away along the second."""
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs)))
    labels = np.arange(400) % 2
    center = np.stack([labels, labels], axis=1)
    x = (center + RNG.normal(size=(400, 2)) * (0.05, 3.0)).astype("float32")
    ke.refit_head(model, x, labels)
    moved = (center + [0.0, 6.0]).astype("float32")
    assert np.mean(model.predict(moved, verbose=0).argmax(axis=1) == labels) == 1.0


def test_recipe_refits_the_trained_network_also_after_resuming(tmp_path):
    data, options = save_shapes(tmp_path / "shapes.npz"), {"epochs": 1, "angle_step": 90, "export_formats": ()}
    spec = {**SPEC, "training": {**SPEC["training"], "refit_head": True}}
    common = {"data": data, "verbose": 0, **options}
    refit = ke.train(spec, run_dir=tmp_path / "refit", **common).model
    trained = ke.train(SPEC, run_dir=tmp_path / "trained", **common).model
    *body, kernel, bias = map(keras.ops.convert_to_numpy, refit.weights)
    for found, expected in zip(body, trained.weights, strict=False):
        np.testing.assert_array_equal(found, expected)
    assert np.abs(kernel - trained.weights[-2]).max() > 0.1
    again = ke.train(spec, run_dir=tmp_path / "refit", resume=True, **common).model
    for found, expected in zip(again.weights, (*body, kernel, bias), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    saved = keras.saving.load_model(tmp_path / "refit" / "model.keras")
    np.testing.assert_array_equal(saved.weights[-1], again.weights[-1])


def test_other_heads_and_labels_are_refused():
    x, y = np.zeros((12, 8, 8, 1), "float32"), np.arange(12) % 3
    model = plain()
    softmax = keras.Model(model.input, keras.layers.Softmax()(model.output))
    with pytest.raises(ValueError, match=r"one Dense layer.*Received: a model that ends in Softmax.*Add Dense"):
        ke.refit_head(softmax, x, y)
    images = keras.Model(model.input, keras.layers.Conv2D(3, 1)(model.input))
    with pytest.raises(ValueError, match="ends in Conv2D"):
        ke.refit_head(images, x, y)
    with pytest.raises(ValueError, match=r"all classes from 0 to 2.*values \[0, 1\]"):
        ke.refit_head(model, x, y % 2)
    with pytest.raises(ValueError, match=r"shape \(12, 1\)"):
        ke.refit_head(model, x, y[:, None])
    with pytest.raises(ValueError, match="one more than once"):
        ke.refit_head(model, x[:3], y[:3])
    with pytest.raises(TypeError, match="must be a keras.Model"):
        ke.refit_head("model", x, y)


def test_recipe_refuses_before_training(tmp_path):
    data = save_shapes(tmp_path / "shapes.npz")
    spec = {**SPEC, "params": {**SPEC["params"], "classes": 10}, "training": {**SPEC["training"], "refit_head": True}}
    with pytest.raises(ValueError, match="all classes from 0 to 3"):
        ke.train(spec, data=data, params={"classes": 4}, run_dir=tmp_path / "run", verbose=0, export_formats=())
    assert not (tmp_path / "run" / "log.csv").exists()
