"""Activations of samples: what must permute them, matrices that do not fit, and the nearest that the group permutes."""

import numpy as np
import pytest

from keras_equivariant import layers


def circle(number):
    """Values of a + b cos + c sin at so many angles."""
    angles = np.arange(number) * 2 * np.pi / number
    return np.stack([np.ones(number), np.cos(angles), np.sin(angles)], axis=1)


def sampled(number, **options):
    return layers.SampledActivation("2x0 + 2x1", circle(number), group="SO2", activation="elu", **options)


def test_it_is_the_fourier_activation_on_its_samples():
    fourier = layers.FourierActivation("2x0 + 2x1", group="SO2", activation="elu", grid="C8")
    layer = layers.SampledActivation("2x0 + 2x1", fourier._sampling, group="SO2", activation="elu")
    x = np.random.default_rng(0).normal(size=(5, 6)).astype("float32")
    np.testing.assert_allclose(layer(x), fourier(x), atol=1e-6)
    assert np.abs(np.asarray(sampled(8)(x)) - np.asarray(fourier(x))).max() > 1e-2  # their samples are scaled


def test_samples_that_quarter_turns_do_not_permute():
    for make in (sampled, lambda n, **o: layers.FourierActivation("2x0 + 2x1", group="SO2", grid=f"C{n}", **o)):
        with pytest.raises(ValueError, match="the element r90 of SO2 does not permute. Received: 6 samples"):
            make(6)(np.zeros((1, 5, 5, 6)))
        with pytest.warns(UserWarning, match="loses its exact symmetry"):
            make(6, strict=False)(np.zeros((1, 5, 5, 6)))
        make(8)(np.zeros((1, 5, 5, 6)))
        make(6)(np.zeros((1, 6)))  # without pixels


def test_a_way_back_of_another_symmetry():
    back = np.linalg.pinv(circle(4)) * [[1.0], [1.0], [2.0]]
    with pytest.raises(ValueError, match="has a way back that the element r90 of SO2 does not keep"):
        sampled(4, back=back)(np.zeros((1, 5, 5, 6)))


def test_rounded_and_repeated_samples():
    rough = np.concatenate([circle(8), circle(8)[:4]]) + np.random.default_rng(0).normal(size=(12, 3)) * 1e-9
    layer = layers.SampledActivation("2x0 + 2x1", rough, group="SO2", back=np.ones((3, 12)) * [[1.0], [0.0], [0.0]])
    assert len(layer.samples) == 8 and not layer._problem.startswith("has samples")
    again = layers.SampledActivation.from_config(sampled(8).get_config())
    np.testing.assert_allclose(again.samples, sampled(8).samples, atol=1e-15)


def test_matrices_that_do_not_fit():
    with pytest.raises(ValueError, match="must be a matrix of numbers. Received: an array of shape"):
        layers.SampledActivation("2x0 + 2x1", [1.0, 2.0], group="SO2")
    with pytest.raises(ValueError, match=r"samples of shape \(8, 3\), back of shape \(2, 8\)"):
        sampled(8, back=np.ones((2, 8)))
    for sigma in (0.0, 1e4, float("inf")):
        with pytest.raises(ValueError, match="`sigma` must be a number of pixels above 0, at most 100"):
            layers.GaussianBlur2D(sigma=sigma)
