"""The Lie derivative: that of a whole network is the slope of its error by angle, those of its layers add up to it."""

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.equivariance import lie_derivative as lie
from keras_equivariant.graphs.calls import calls
from keras_equivariant.graphs.reading import as_functional
from keras_equivariant.ops.rotation_rate import rotation_rate

RNG = np.random.default_rng(0)


def network(head=True, size=11, dtype="float64"):
    keras.utils.set_random_seed(0)
    image = keras.Input((size, size, 1), dtype=dtype)
    x = ke.layers.SteerableConv2D("1x0", "4x0 + 2x1", 3, group="SO2", padding="same", dtype=dtype)(image)
    x = ke.layers.GatedActivation("4x0 + 2x1", "SO2", dtype=dtype, name="gates")(x)
    x = ke.layers.SteerableConv2D("2x0 + 2x1", "3x0", 3, group="SO2", dtype=dtype, name="last")(x)
    if head:
        x = keras.layers.GlobalAveragePooling2D(dtype=dtype)(x)
        x = keras.layers.Dense(2, dtype=dtype)(x)
    return keras.Model(image, x)


@pytest.fixture(scope="module")
def report():
    return ke.certify(network(), angles=[0.001, 360 - 0.001], dtypes=["float64"])


@pytest.mark.tensorflow
def test_it_is_the_slope_of_the_error_by_angle(report):
    for angle in report.angles:
        slope = angle.error / np.deg2rad(min(angle.degrees, 360 - angle.degrees))
        np.testing.assert_allclose(slope, report.lie_derivative, rtol=0.01)
    assert report.lie_derivative > 1e-3


@pytest.mark.tensorflow
def test_layers_that_commute_with_every_rotation_have_none(report):
    rows = {row.kind: row for row in report.layers}
    assert rows["Dense"].lie_derivative <= 1e-12
    assert rows["SteerableConv2D"].lie_derivative > 1e-3
    assert rows["GatedActivation"].lie_derivative > 1e-3  # a product has frequencies that its factors have not
    assert "Lie derivative" in str(report) and "at the output" in str(report)


@pytest.mark.tensorflow
def test_the_parts_of_the_layers_are_what_reaches_the_output():
    """Against differences: features changed by what their layer loses, and the layers behind them run again."""
    model = as_functional(network())
    listing, part = calls(model), {}
    x = RNG.normal(size=(2, 11, 11, 1))
    setting = _setting(model, x)
    layouts = _layouts(model, setting)
    found = lie.lie_derivatives(model, listing, setting, layouts)
    inputs = [keras.ops.convert_to_tensor(y) for y in lie._on_discs(setting)]
    values = lie._values(model, listing, inputs)
    arrays = {name: np.asarray(value) for name, value in values.items()}
    out = id(model.outputs[0])
    for call in listing:
        (lost,) = lie._lost_by(call, arrays, layouts, setting.group, None)
        ends = [
            np.asarray(lie._values(model, listing, inputs, {id(call.outputs[0]): sign * 1e-6 * lost})[out])
            for sign in (1, -1)
        ]
        part[id(call)] = np.linalg.norm(ends[0] - ends[1]) / 2e-6 / np.linalg.norm(arrays[out])
    for name, expected in part.items():
        np.testing.assert_allclose(found[name][1], expected, rtol=1e-4, atol=1e-9)
    assert max(part.values()) > 1e-3


def _setting(model, x):
    from keras_equivariant.equivariance.certificate import Setting
    from keras_equivariant.groups.layouts import Image

    return Setting(ke.groups.get("C8"), x, [x], [Image()], None, (), (), 8)


def _layouts(model, setting):
    from keras_equivariant.graphs.symmetry import layout_of
    from keras_equivariant.groups.layouts import Image

    known = {id(x): layout_of(x) for call in calls(model) for x in call.outputs}
    return {id(model.inputs[0]): Image(), **known}


@pytest.mark.tensorflow
def test_a_layer_that_breaks_the_symmetry_stands_out():
    image = keras.Input((11, 11, 1))
    x = ke.layers.SteerableConv2D("1x0", "3x0", 3, group="SO2", padding="same")(image)
    x = keras.layers.Conv2D(3, 3, padding="same", name="plain")(x)
    model = keras.Model(image, keras.layers.GlobalMaxPooling2D()(x))
    rows = {row.name: row for row in ke.certify(model, "SO2", angles=2).layers}
    own = {name: row.lie_derivative for name, row in rows.items() if row.lie_derivative is not None}
    assert max(own, key=own.get) == "plain" and own["plain"] > 0.3


@pytest.mark.tensorflow
def test_features_on_a_finite_group_have_none_but_the_network_does():
    x = image = keras.Input((9, 9, 1))
    for layer in (ke.layers.LiftingConv2D(2, 3, group="C4"), ke.layers.GroupPooling("max")):
        x = layer(x)
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(x))
    report = ke.certify(model, angles=2)
    assert report.lie_derivative > 0.01
    assert all(row.lie_derivative is None for row in report.layers)
    assert "Lie derivative" not in str(report).split("layer  ")[-1]
    assert ke.certify(model, angles=0).lie_derivative is None


@pytest.mark.tensorflow
def test_it_is_saved(report, tmp_path):
    report.save(tmp_path / "certificate.json")
    assert type(report).load(tmp_path / "certificate.json") == report


@pytest.mark.parametrize("rank", [2, 3])
def test_the_rate_of_pixels_is_that_of_the_layouts(rank):
    """Inside, where no edge is; in space about every axis."""
    x = RNG.normal(size=(2, *(6, 7, 5)[:rank], 2)).astype("float32")
    for generator, axis in zip(lie.generators(rank), lie.rotation_axes(rank), strict=True):
        ours = keras.ops.convert_to_numpy(rotation_rate(keras.ops.convert_to_tensor(x), generator))
        theirs = lie.rate(x, ke.groups.layouts.Image(), "C4" if rank == 2 else "O", axis)
        inside = (slice(None), *(slice(1, -1),) * rank)
        np.testing.assert_allclose(ours[inside], theirs[inside], atol=2e-4)


@pytest.mark.tensorflow
def test_layers_that_train_where_nothing_is_said_do_not():
    """Resizing, CenterCrop and RandomFlip take a call that says nothing for training, and so does what follows them."""
    image = keras.Input((9, 9, 1))
    x = keras.layers.Conv2D(2, 3)(keras.layers.CenterCrop(7, 7)(keras.layers.RandomBrightness(0.5)(image)))
    x = keras.layers.BatchNormalization()(x)
    stock = keras.Model(image, keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x)))
    stock(np.ones((1, 9, 9, 1)))  # changes the statistics, as it does in Keras
    for model in (stock, ke.symmetrize(stock, "D4"), ke.equivariant(stock, "D4")):
        before = model.get_weights()
        reports = [ke.certify(model, "D4", dtypes=["float32"]) for _ in range(2)]
        assert reports[0].lie_derivative == reports[1].lie_derivative is not None
        assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
