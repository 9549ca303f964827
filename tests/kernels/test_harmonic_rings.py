"""The sampled rings of Harmonic Networks: exact under quarter turns, inside the window, below the band limit."""

import numpy as np
import pytest

from keras_equivariant.groups import grid
from keras_equivariant.kernels import harmonic, ring_basis


def as_images(basis, size):
    """Complex functions (orders, size, size, D)."""
    functions = basis.basis[:, 0] + 1j * basis.basis[:, 1]
    return functions.reshape(len(basis.orders), size, size, -1)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 9])
@pytest.mark.parametrize("num_rings", [1, 2, 4])
def test_quarter_turns_are_exact(size, num_rings):
    basis = ring_basis(size, 4, num_rings)
    images = as_images(basis, size)
    for m, image in zip(basis.orders, images, strict=True):
        # W(g^-1 x) = e^{-i m t} W(x): the filter rotates by losing the phase that the features gain.
        rotated = np.rot90(image, 1, axes=(0, 1))
        assert np.abs(rotated - np.exp(-0.5j * np.pi * m) * image).max() <= 1e-14
        if m % 4:
            assert np.abs(rotated - image).max() > 0.1


def test_functions_have_norm_one_and_belong_to_one_order():
    basis = ring_basis(5, 2, 4)
    norms = (basis.basis**2).sum(axis=(1, 2))
    assert basis.size == 12
    np.testing.assert_allclose(norms, np.repeat(np.eye(3), 4, axis=1), atol=1e-14)


def test_rings_stay_inside_the_window_and_below_the_band_limit():
    for size in range(1, 12):
        for num_rings in (1, 2, 3, 4, 8):
            basis = ring_basis(size, 6, num_rings)
            assert basis.orders[0] == 0
            for m, radii in zip(basis.orders, basis.radii, strict=True):
                assert 1 <= len(radii) <= num_rings
                assert len(set(radii)) == len(radii)
                assert max(radii) <= (size - 1) / 2
                assert m <= 2 * min(radii) or size == 2  # a period of at least three pixels
                assert m == 0 or min(radii) > 0


def test_the_published_network_has_four_rings_of_each_order():
    basis = ring_basis(5, 1, 4)
    np.testing.assert_allclose(basis.radii, [[0, 2 / 3, 4 / 3, 2], [1, 4 / 3, 5 / 3, 2]])


def test_orders_that_do_not_fit_are_left_out():
    assert ring_basis(1, 3, 2).orders == (0,)
    assert ring_basis(3, 5, 2).orders == (0, 1, 2)
    assert ring_basis(5, 5, 2).orders == (0, 1, 2, 3, 4)


@pytest.mark.parametrize("m", [0, 1, 2])
def test_other_angles_hold_on_smooth_functions(m):
    """The response to a rotated plane wave is the response to the plane wave, times e^{i m t}."""
    rng = np.random.default_rng(0)
    rows, columns = grid.centered_points((7, 7)).T
    filters = as_images(ring_basis(7, m, 3), 7)[-1].reshape(49, -1)
    errors, norms = 0.0, 0.0
    for angle in rng.uniform(0, 2 * np.pi, 50):
        wave, phase = rng.normal(size=2) * 0.5, rng.uniform(0, 2 * np.pi)
        c, s = np.cos(angle), np.sin(angle)
        rotated = np.array([[c, -s], [s, c]]) @ wave
        before, after = (filters.T @ np.cos(w[0] * columns - w[1] * rows + phase) for w in (wave, rotated))
        errors += np.abs(after - np.exp(1j * m * angle) * before) ** 2
        norms += np.abs(before) ** 2
    assert np.sqrt(errors.sum() / norms.sum()) < 0.03


def test_a_narrow_ring_is_finite():
    assert np.isfinite(ring_basis(5, 2, 3, width=1e-3).basis).all()


def test_same_bits_again():
    first = ring_basis(5, 2, 3).basis.copy()
    harmonic.ring_basis.cache_clear()
    np.testing.assert_array_equal(first, ring_basis(5, 2, 3).basis)
