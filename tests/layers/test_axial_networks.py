"""Networks on the continuous groups about one axis: certified, folded, restricted, saved, on volumes of any height."""

import keras
import numpy as np
import pytest

import keras_equivariant as ke

L = ke.layers
RNG = np.random.default_rng(0)


def network(group, text, space=(5, 5, 4), dtype="float64"):
    gated = L.GatedActivation.in_type_for(text, group)
    scalar = ke.FieldType.scalars(1, group)
    x = inputs = keras.Input((*space, 1), dtype=dtype)
    x = L.SteerableConv3D(scalar, gated, 3, group, padding="same", bias_initializer="normal", dtype=dtype)(x)
    x = L.GatedActivation(gated, group, dtype=dtype)(x)
    return keras.Model(inputs, L.SteerableConv3D(text, text, 3, group, padding="same", dtype=dtype)(x))


@pytest.mark.parametrize(("group", "text", "on_grid"), [("Dinfz", "2x0+ + 1x1", "D4z")])
def test_certificate(group, text, on_grid):
    """Exact on the grid, measured between its rotations, which are about the axis alone."""
    model = network(group, text)
    report = ke.certify(model, angles=8, samples=1, layers=False, dtypes=["float64"])
    assert report.group == group and report.grid_group == on_grid and report.grid_error < 1e-12 and not report.exact
    between = {angle.degrees: angle.error for angle in report.angles}
    assert max(between[a] for a in (0, 90, 180, 270)) < 1e-5 < between[45] < 0.5 and report.lie_derivative < 1
    wrong = ke.certify(model, group, angles=0, samples=1, layers=False, output_layout="image", dtypes=["float64"])
    assert wrong.max_error > 1e-3


def test_fold_and_save(tmp_path):
    model = network("Cinfv", "2x0+ + 1x1", dtype="float32")
    x = RNG.normal(size=(2, 5, 5, 4, 1)).astype("float32")
    folded = ke.fold(model)
    assert not [layer for layer in folded.layers if type(layer).__module__.startswith("keras_equivariant")]
    np.testing.assert_allclose(folded(x), model(x), atol=1e-5)
    model.save(tmp_path / "cone.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "cone.keras")(x), model(x))


@pytest.mark.parametrize(("group", "text", "subgroup"), [("SO3", "2x0 + 1x1", "Dinfz"), ("Cinfv", "2x0+ + 1x1", "C4v")])
def test_restricted(group, text, subgroup):
    model = network(group, text, (5, 5, 5))
    restricted = ke.restrict(model, subgroup)
    report = ke.certify(restricted, angles=0, samples=1, layers=False)
    assert report.group == subgroup and report.grid_error < 1e-12
    x = RNG.normal(size=(2, 5, 5, 5, 1))
    y, z = np.asarray(model(x)), np.asarray(restricted(x))
    np.testing.assert_allclose(np.sum(z**2, axis=-1), np.sum(y**2, axis=-1), rtol=2e-2)


def test_penalty_rotates_about_the_axis_alone():
    from keras_equivariant.equivariance.lie_derivative import generators
    from keras_equivariant.equivariance.lie_penalty import with_lie_penalty

    assert len(generators(3)) == len(generators(3, ke.groups.get("SO3"))) == 3
    (rotation,) = generators(3, ke.groups.get("Cinfv"))
    np.testing.assert_allclose(rotation, [[0, -1, 0], [1, 0, 0], [0, 0, 0]], atol=1e-12)
    model = with_lie_penalty(network("Cinfv", "2x0+ + 1x1", dtype="float32"), 1.0)
    model.compile("sgd", "mse")
    x = RNG.normal(size=(4, 5, 5, 4, 1)).astype("float32")
    assert np.isfinite(model.train_on_batch(x, np.zeros((4, 5, 5, 4, 4), "float32")))
