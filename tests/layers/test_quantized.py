"""`model.quantize` reaches the stock layers inside of ours: what is saved, copied and folded afterwards."""

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant import layers as L

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="Keras quantizes TensorFlow's best")


def points():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, 7, 3)), rng.normal(size=(2, 7, 2))
    return [*(x.astype("float32") for x in values), np.arange(7)[None] < np.array([[7], [4]])]


def inputs():
    return [keras.Input((7, 3)), keras.Input((7, 2)), keras.Input((7,), dtype="bool")]


def lie():
    given = inputs()
    u = L.LieBottleneck(4, "T3", neighbors=4)(L.LieConv(4, "T3", neighbors=4)(given))
    return keras.Model(given, L.LiePooling()(u))


def steerable():
    given, out = inputs(), "2x0 + 2x1"
    x, f, mask = L.SteerablePointConv("2x0", out, "SO3", radius=2.5, neighbors=6)(given)
    return keras.Model(given, L.SteerablePointPooling(out, "SO3")([x, f, mask]))


def oriented():
    given, grid = inputs(), "2xquotient(C3_111)"
    f = L.SteerableDense("2xA", grid, "T")(given[1])
    x, f, mask = L.PositionOrientationBlock(grid, "T", radius=3.0, neighbors=6)([given[0], f, given[2]])
    return keras.Model(given, L.SteerablePointPooling(grid, "T")([x, f, mask]))


def relaxed():
    image = keras.Input((7, 3, 3))
    return keras.Model(image, keras.layers.Dense(3)(L.Relaxed(L.LiftingConv2D(2, 3, "C2"))(image)))


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
@pytest.mark.parametrize("make", [lie, steerable, oriented, relaxed])
def test_a_quantized_model_is_saved_and_copied_whole(make, mode, tmp_path):
    model = make()
    x = points() if len(model.inputs) == 3 else np.random.default_rng(1).normal(size=(2, 7, 3, 3)).astype("float32")
    plain = np.asarray(model(x))
    model.quantize(mode)
    expected = np.asarray(model(x))
    assert 0 < np.abs(expected - plain).max() < 0.3 * np.abs(plain).max()
    model.save(tmp_path / "quantized.keras")
    assert np.array_equal(keras.models.load_model(tmp_path / "quantized.keras")(x), expected)
    copy = keras.models.clone_model(model)
    model.save_weights(tmp_path / "quantized.weights.h5")
    copy.load_weights(tmp_path / "quantized.weights.h5")
    assert np.array_equal(copy(x), expected)


@pytest.mark.parametrize("make, inside", [(lie, "kernel_0"), (steerable, "kernel_0"), (oriented, "kernel_0|expand")])
def test_folding_names_what_is_quantized_and_its_remedy_works(make, inside):
    model = make()
    folded = ke.fold(model)
    model.quantize("int8")
    with pytest.raises(ValueError, match=rf'"({inside})" of class keras.*mode "int8". Call ke.fold\(model\) first'):
        ke.fold(model)
    before = np.asarray(folded(points()))
    folded.quantize("int8")
    assert np.abs(np.asarray(folded(points())) - before).max() < 0.3 * np.abs(before).max()


def test_a_layer_that_is_not_quantized_says_nothing_of_it():
    assert all("quantized" not in layer.get_config() for layer in lie().layers)
