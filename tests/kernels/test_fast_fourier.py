import numpy as np
import pytest

from keras_equivariant import groups
from keras_equivariant.kernels import fast_fourier, fourier_basis
from keras_equivariant.kernels.additions import additions_of

PLANE = ("C1", "C2", "C3", "C4", "C5", "C6", "C8", "C16", "D1", "D2", "D3", "D4", "D6", "D8", "D16")
SPACE = ("T", "Td", "Th", "O", "Oh", "D4h", "C4z", "I")


def in_blocks(fourier, kernel):
    """The matrix between the coefficients."""
    whole = np.zeros(2 * (fourier.coefficients,))
    for block in fourier.blocks:
        for row in range(block.rows):
            part = slice(block.start + row * block.dim, block.start + (row + 1) * block.dim)
            whole[part, part] = np.tensordot(kernel, block.weights, 1)
    return whole


@pytest.mark.parametrize("name", PLANE + SPACE)
def test_blocks_between_additions_are_the_convolution(name):
    group, fourier = groups.get(name), fast_fourier(name)
    rng = np.random.default_rng(0)
    kernel, x = rng.normal(size=group.order), rng.normal(size=(group.order, 3))
    plain = kernel[group.cayley[group.inverses]] @ x  # y(s') = sum_s w(s'^-1 s) x(s)
    y = fourier.inverse(in_blocks(fourier, kernel) @ fourier.forward(x))
    np.testing.assert_allclose(y, plain, atol=1e-12)
    changed = fourier.inverse(in_blocks(fourier, kernel[::-1]) @ fourier.forward(x))
    assert group.order < 3 or np.abs(changed - plain).max() > 1e-2


@pytest.mark.parametrize("name", PLANE + SPACE)
def test_coefficients_are_those_of_the_plain_transform(name):
    """Both matrices have the same span, representation by representation, and the plan computes its matrix."""
    fourier, basis = fast_fourier(name), fourier_basis(name)
    identity = np.eye(fourier.order)
    np.testing.assert_allclose(fourier.forward(identity), fourier.matrix, atol=1e-8)
    np.testing.assert_allclose(fourier.inverse(np.eye(fourier.coefficients)), fourier.matrix.T, atol=1e-8)
    start = 0
    for rows, matrices in basis.blocks:
        size = rows * matrices.shape[1]
        plain = basis.forward[start : start + size]
        start += size
        ours = [fourier.matrix[b.start : b.start + b.rows * b.dim] for b in fourier.blocks]
        inside = [part for part in ours if np.linalg.matrix_rank(np.concatenate([plain, part]), tol=1e-6) == size]
        assert inside and np.linalg.matrix_rank(np.concatenate(inside), tol=1e-6) == size


@pytest.mark.parametrize("name, products, additions", [("C4", 6, 6), ("D4", 12, 20), ("O", 68, 90), ("Oh", 136, 260)])
def test_what_a_transform_costs(name, products, additions):
    fourier = fast_fourier(name)
    assert fourier.products == products
    assert max(fourier.forward.additions, fourier.inverse.additions) <= additions + 5
    assert fourier.forward.additions <= np.count_nonzero(fourier.matrix) / 2


@pytest.mark.parametrize("name", ("D4", "T", "O", "Oh"))
def test_elements_on_the_grid_exchange_coefficients_up_to_sign(name):
    """What makes the proof of a file with blocks one of permutations; columns are exchanged together."""
    group, fourier = groups.get(name), fast_fourier(name)
    for element in group.grid_elements:
        moved = fourier.matrix[:, group.cayley[element]]  # (L_g x)(s) = x(g^-1 s)
        for row in moved:
            same = np.abs(np.abs(fourier.matrix @ row) - row @ row) < 1e-9
            assert any(np.allclose(row, sign * other) for other in fourier.matrix[same] for sign in (1, -1))


def test_additions_of_any_matrix():
    rng = np.random.default_rng(0)
    for _ in range(20):
        matrix = rng.choice([0.0, 1.0, -1.0, 2.0, 0.5, -0.7], size=rng.integers(1, 8, 2))
        matrix = matrix[np.abs(matrix).sum(axis=1) > 0]
        if len(matrix):
            plan = additions_of(matrix)
            np.testing.assert_allclose(plan(np.eye(matrix.shape[1])), matrix, atol=1e-8)
            assert plan.additions <= 3 * np.count_nonzero(matrix)
