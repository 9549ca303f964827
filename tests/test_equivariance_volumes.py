"""Certificates of models on volumes."""

import keras
import numpy as np
import pytest

from keras_equivariant import certify, equivariance_error, groups
from keras_equivariant import layers as L

pytestmark = pytest.mark.tensorflow


def network(group, size=(9, 9, 9), pooled=True):
    inputs = keras.Input((*size, 1))
    x = L.LiftingConv3D(2, 3, group, padding="same", activation="relu", name="lift")(inputs)
    x = L.GroupConv3D(2, 3, group, padding="same", name="conv")(x)
    if pooled:
        x = keras.layers.GlobalAveragePooling3D()(L.GroupPooling(name="pool")(x))
    return keras.Model(inputs, x, name="net")


def test_every_element_layer_and_angle_of_an_octahedral_network():
    report = certify(network("O"), angles=[0, 45, 90], samples=1)
    assert report.exact and report.group == "O" and len(report.elements) == 24
    assert min(e.move for e in report.elements[1:]) > 0.1
    assert [(layer.name, layer.layout) for layer in report.layers[:3]] == [
        ("lift", "regular"),
        ("conv", "regular"),
        ("pool", "image"),
    ]
    angles = {a.degrees: a for a in report.angles}
    assert angles[0].error < 1e-5
    for degrees in (45, 90):  # also about an oblique axis, about which no quarter turn is exact
        assert 1e-4 < angles[degrees].error < 0.5 and angles[degrees].interpolation > 1e-3


def test_volumes_rotate_about_the_axes_of_the_group_only():
    model = network("C4z")
    upright = certify(model, angles=[90], samples=1, layers=False)
    assert upright.exact and upright.angles[0].error < 1e-5
    wrong = certify(model, "O", angles=[90], samples=1, layers=False)
    assert wrong.verdict == "broken" and wrong.angles[0].error > 1e-3


def test_features_on_a_group_rotate_by_its_own_rotations():
    report = certify(network("D4h", (7, 7, 5), pooled=False), angles=8, samples=1, layers=False)
    assert report.exact and {a.degrees for a in report.angles} == {0, 90, 180, 270}
    assert max(a.error for a in report.angles if a.degrees == 180) < 1e-5


def test_a_box_is_no_cube():
    with pytest.raises(ValueError, match="must have one size. Received: input sizes .* pad the input to a cube"):
        certify(network("C4z", (8, 8, 6)), "O")
    assert certify(network("C4h", (8, 8, 6)), angles=0, samples=1, layers=False).exact


def test_icosahedral_elements_are_approximate():
    inputs = keras.Input((9, 9, 9, 1))
    x = L.GroupPooling()(L.LiftingConv3D(1, 5, "I", padding="same", basis="gaussian")(inputs))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling3D()(x))
    report = certify(model, angles=0, layers=False, samples=1)
    assert report.verdict == "approximate"
    assert sum(e.interpolated for e in report.elements) == 48
    exact = [e.errors["float64"] for e in report.elements if not e.interpolated]
    assert len(exact) == 12 and max(exact) < 1e-12


def test_a_registered_group_of_space():
    third = np.roll(np.eye(3), 1, axis=0)
    group = groups.register(groups.from_generators("about_the_diagonal", [third, -np.eye(3)]))
    model = network("about_the_diagonal", (5, 5, 5), pooled=False)
    x = np.random.default_rng(0).normal(size=(1, 5, 5, 5, 1))
    assert max(equivariance_error(model, group, x.astype("float32")).values()) < 1e-5
    assert max(equivariance_error(model, group, x.astype("float32"), output_layout="invariant").values()) > 0.1
