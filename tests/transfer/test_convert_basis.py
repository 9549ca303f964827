"""A network's convolutions on another basis: exact where that holds them, else the nearest, with what is lost."""

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant import layers as L

pytestmark = pytest.mark.tensorflow


def network(basis):
    image = keras.Input((9, 9, 2))
    x = L.SteerableConv2D("2x0+", "2xregular", 5, "D4", basis=basis, bias_initializer="normal", name="typed")(image)
    x = L.SteerableBatchNormalization("2xregular", "D4", name="norm")(x)
    x = L.UnflattenFields("2xregular", "D4")(x)
    x = L.GroupConv2D(3, 3, "D4", basis=basis, bias_initializer="normal", activation="relu", name="group")(x)
    return keras.Model(image, L.GroupPooling("max")(x), name="net")


def test_to_the_exact_basis_nothing_is_lost():
    model, x = network("steerable"), np.random.default_rng(0).normal(size=(2, 9, 9, 2))
    model.get_layer("norm").gamma.assign([0.5, 2.0])
    exact, losses = ke.convert_basis(model, "exact")
    assert set(losses) == {"typed", "group"} and max(losses.values()) < 1e-12
    assert exact.name == "net" and exact.get_layer("typed").basis == exact.get_layer("group").basis == "exact"
    np.testing.assert_allclose(exact(x), model(x), atol=1e-12)
    # And back on the same rings, of one layer alone.
    back, losses = ke.convert_basis(exact, "steerable", layers=["typed"])
    assert set(losses) == {"typed"} and losses["typed"] < 1e-12 and back.get_layer("group").basis == "exact"
    np.testing.assert_allclose(back(x), model(x), atol=1e-12)


def test_what_the_rings_cannot_hold_is_lost():
    model = network("exact")
    steerable, losses = ke.convert_basis(model, "steerable", layers=["typed"])
    layer, old = steerable.get_layer("typed"), model.get_layer("typed")
    left, whole = (keras.ops.convert_to_numpy(one.expanded_kernel()) for one in (layer, old))
    assert (
        losses["typed"] == pytest.approx(np.linalg.norm(left - whole) / np.linalg.norm(whole)) and losses["typed"] > 0.1
    )
    assert np.sum(left * (whole - left)) == pytest.approx(0, abs=1e-9)  # the nearest
    narrow, more = ke.convert_basis(model, "steerable", layers=["typed"], ring_radii=[1.0], ring_width=0.4)
    assert narrow.get_layer("typed").ring_radii == (1.0,) and more["typed"] > losses["typed"]


def test_operators_lie_in_the_exact_basis():
    model, x = network("pdo"), np.random.default_rng(0).normal(size=(2, 9, 9, 2))
    exact, losses = ke.convert_basis(model, "exact")
    assert max(losses.values()) < 1e-12
    np.testing.assert_allclose(exact(x), model(x), atol=1e-12)
    back, losses = ke.convert_basis(exact, "pdo")
    assert max(losses.values()) < 1e-12 and back.get_layer("typed").basis == "pdo"
    low, more = ke.convert_basis(exact, "pdo", layers=["typed"], maximum_order=1)
    assert low.get_layer("typed").maximum_order == 1 and more["typed"] > 0.1


def test_mistakes():
    model = network("exact")
    with pytest.raises(ValueError, match="must name convolutions that have a basis: typed, group"):
        ke.convert_basis(model, "steerable", layers=["norm"])
    with pytest.raises(ValueError, match="must be of the basis.*Received: filters=3"):
        ke.convert_basis(model, "steerable", filters=3)
    inputs = keras.Input((9, 9, 1))
    octagonal = keras.Model(inputs, L.LiftingConv2D(2, 3, "C8", name="lift")(inputs))
    with pytest.raises(ValueError, match='The layer "lift": basis="exact" needs'):
        ke.convert_basis(octagonal, "exact")


def test_the_example_runs():
    import doctest
    import sys

    found = doctest.testmod(sys.modules[ke.convert_basis.__module__], optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted == 5 and not found.failed
