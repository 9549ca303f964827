"""Sliding windows: the same answer wherever windows lie, no seams, and the symmetry of the network kept."""

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.training.volumes import _starts

RNG = np.random.default_rng(0)


def pointwise(channels=1):
    inputs = keras.Input((6, 6, 6, channels))
    return keras.Model(inputs, keras.layers.Conv3D(2, 1)(inputs))


@pytest.mark.parametrize("shape", [(6, 6, 6), (13, 9, 6), (4, 15, 7)])
def test_windows_cover_every_voxel_with_what_the_network_says(shape):
    model, volume = pointwise(), RNG.normal(size=(*shape, 1)).astype("float32")
    kernel, bias = (np.asarray(w) for w in model.get_weights())
    wanted = volume * kernel[0, 0, 0, 0] + bias
    for options in ({}, {"overlap": 0.0}, {"overlap": 0.75, "batch_size": 3}):
        np.testing.assert_allclose(ke.predict_volume(model, volume, **options), wanted, atol=1e-5)


def test_it_keeps_the_symmetry_of_the_network():
    inputs = keras.Input((8, 8, 1))
    x = ke.layers.LiftingConv2D(3, 3, group="D4", padding="same")(inputs)
    model = keras.Model(inputs, ke.layers.GroupPooling("max")(x))
    image = RNG.normal(size=(19, 19, 1)).astype("float32")
    once = ke.predict_volume(model, image)
    for move in (lambda x: np.rot90(x, 1), lambda x: np.flip(x, 1)):
        np.testing.assert_allclose(ke.predict_volume(model, move(image)), move(once), atol=1e-5)
    plain = keras.Sequential([inputs, keras.layers.Conv2D(3, 3, padding="same")])
    off = ke.predict_volume(plain, np.rot90(image, 1).copy()) - np.rot90(ke.predict_volume(plain, image), 1)
    assert np.abs(off).max() > 0.05, "the comparison would notice a network without the symmetry"


def test_windows_lie_symmetrically():
    for size in range(6, 40):
        for overlap in (0.0, 0.5, 0.7):
            starts = _starts(size, 6, overlap)
            assert starts == sorted(size - 6 - s for s in starts) and starts[0] == 0
            assert max(np.diff(starts), default=0) <= 6


def test_what_does_not_fit():
    with pytest.raises(ValueError, match="overlap=1"):
        ke.predict_volume(pointwise(), np.zeros((6, 6, 6, 1)), overlap=1)
    with pytest.raises(ValueError, match=r"shape \(6, 6, 1\).*patch=\(6, 6, 6\)"):
        ke.predict_volume(pointwise(), np.zeros((6, 6, 1)))
    anywhere = keras.Sequential([keras.Input((None, None, 1)), keras.layers.Conv2D(1, 1)])
    with pytest.raises(ValueError, match="Give patch="):
        ke.predict_volume(anywhere, np.zeros((6, 6, 1)))
