"""Bases of differential operators: exact on polynomials, complete by characters, and the law under every rotation."""

import itertools
import math

import numpy as np
import pytest
from test_steerable_spans import averaging, dense, group_convolution_kernels, projector

from keras_equivariant import FieldType, groups
from keras_equivariant.groups import grid
from keras_equivariant.kernels import Derivatives, Rings, rotated_basis, steerable_basis
from keras_equivariant.kernels.steerable import irrep_kernels

ALL = [Derivatives(), Derivatives(accuracy=2), Derivatives(maximum_order=2), Derivatives(discretization="gauss")]


@pytest.mark.parametrize(("size", "accuracy"), [(3, None), (5, None), (6, None), (5, 2), (7, 4), (4, 1), (6, 2)])
def test_finite_differences_are_exact_on_polynomials(size, accuracy):
    derivatives = Derivatives(accuracy=accuracy)
    order, points = derivatives.order((size, size)), np.arange(size) - (size - 1) / 2
    stencils = derivatives.stencils(size, 1.0, order)
    for n in range(order + 1):
        sure = size if accuracy is None else n + accuracy
        for power in range(sure):
            expected = math.factorial(n) if power == n else 0.0
            np.testing.assert_allclose(stencils[n] @ points**power, expected, atol=1e-11)
    assert abs(stencils[1] @ points ** (size + 1 - size % 2)) > 0.01  # and no more than that
    narrow = Derivatives(accuracy=1).stencils(size, 1.0, order)
    assert all(np.count_nonzero(row) <= n + 2 for n, row in enumerate(narrow))


def test_stencils_that_everybody_knows():
    found = Derivatives().stencils(5, 1.0, 2)
    np.testing.assert_allclose(found[1], np.array([1, -8, 0, 8, -1]) / 12, atol=1e-14)
    np.testing.assert_allclose(found[2], np.array([-1, 16, -30, 16, -1]) / 12, atol=1e-14)
    np.testing.assert_allclose(Derivatives().stencils(3, 2.0, 1)[1], [-0.25, 0, 0.25])  # pixels of length 2
    smooth = Derivatives(discretization="gauss", smoothing=1.0).stencils(21, 1.0, 3)
    points = np.arange(21) - 10.0
    # Convolving with a Gaussian of variance 1 turns x^3 into x^3 + 3 x.
    np.testing.assert_allclose(smooth @ points**3 / smooth[0].sum(), [0, 3, 0, 6], atol=1e-3)


def symmetric_character(matrix, order):
    """The trace of a matrix on all polynomials of degree up to `order`, by Newton's identities."""
    sums, found = [np.trace(np.linalg.matrix_power(matrix, j)) for j in range(1, order + 1)], [1.0]
    for n in range(1, order + 1):
        found.append(sum(sums[j - 1] * found[n - j] for j in range(1, n + 1)) / n)
    return sum(found)


@pytest.mark.parametrize("derivatives", ALL)
@pytest.mark.parametrize(
    ("group", "source", "target", "size"),
    [
        ("D4", "regular", "irreps", (5, 5)),
        ("C8", "regular", "regular", (4, 4)),
        ("D6", "irreps", "regular + quotient(C2)", (5, 5)),
        ("D2", "regular", "irreps", (3, 5)),
        ("Oh", "irreps", "irreps", (3, 3, 3)),
    ],
)
def test_operators_are_all_there_are(group, source, target, size, derivatives):
    """dim Hom_G(polynomials of degree <= N, target x source) = mean of the products of the characters."""
    group = groups.get(group)
    types = [FieldType.parse(text, group) for text in (source, target)]
    order = derivatives.order(size)
    expected = 0.0
    for matrix in group.matrices:
        traces = [np.trace(kind.transform(np.eye(kind.size), matrix)) for kind in types]
        expected += np.prod(traces) * symmetric_character(matrix, order) / group.order
    found = steerable_basis(*types, size, "pdo", None, derivatives)
    assert found.size == pytest.approx(expected, abs=1e-9)
    for functions in found.pairs.values():
        rows = functions.reshape(len(functions), -1)
        np.testing.assert_allclose(rows @ rows.T, np.eye(len(rows)), atol=1e-12)


@pytest.mark.parametrize(("group", "frequencies"), [("SO2", range(4)), ("SO3", range(3))])
def test_operators_of_continuous_groups_are_all_there_are(group, frequencies):
    """Between irreps by hand: the plane has 2 (1 at m = 0) maps a harmonic m = |a - b|, a + b, space one a degree."""
    for derivatives, (a, b) in itertools.product(ALL, itertools.product(frequencies, repeat=2)):
        size = (5,) * groups.get(group).dimension
        order = derivatives.order(size)
        if group == "SO2":
            degrees = [m for m in ([a - b, a + b] if a and b else [a + b])]
            each = [(1 if not a and not b else 2) * ((order - abs(m)) // 2 + 1) for m in degrees if abs(m) <= order]
        else:
            each = [(order - m) // 2 + 1 for m in range(abs(a - b), min(a + b, order) + 1)]
        found = irrep_kernels(group, str(a), str(b), size, "pdo", derivatives)
        assert len(found) == sum(each), (derivatives, a, b)


@pytest.mark.parametrize("derivatives", ALL)
@pytest.mark.parametrize(("group", "size"), [("D4", (5, 5)), ("C4", (4, 4)), ("D2", (3, 5))])
def test_operators_are_among_the_exact_kernels(group, size, derivatives):
    types = "regular", "irreps"
    rows, all_of_them = dense(group, *types, size, "pdo", None, derivatives), averaging(group, *types, size)
    np.testing.assert_allclose(rows @ all_of_them, rows, atol=1e-12)
    assert len(rows) < np.trace(all_of_them)


@pytest.mark.parametrize(("group", "size"), [("C4", 3), ("C4", 4), ("C8", 3), ("D3", 4), ("D4", 3)])
def test_operators_between_regular_types_are_those_of_the_group_convolution(group, size):
    size = (size, size)
    ours, theirs = dense(group, "regular", "regular", size, "pdo"), group_convolution_kernels(group, size, "pdo")
    assert len(ours) == len(theirs)
    np.testing.assert_allclose(projector(ours), projector(theirs), atol=1e-10)


@pytest.mark.parametrize(("name", "size"), [("SO2", (5, 5)), ("O2", (5, 5)), ("SO3", (3, 3, 3)), ("O3", (4, 4, 4))])
def test_the_law_holds_under_every_rotation_on_polynomials(name, size):
    """On images on which finite differences are exact, K f(g^-1 .) = rho_out K rho_in^-1 f for any g."""
    group = groups.get(name)
    labels = {"SO2": "0 1 2", "O2": "0+ 0- 1", "SO3": "0 1 2", "O3": "0e 1o 2e"}[name].split()
    points = grid.centered_points(size)
    rng = np.random.default_rng(0)
    exponents = [p for p in itertools.product(range(size[0]), repeat=len(size)) if sum(p) < size[0]]
    rotation = any_element(group)
    image = grid.index_matrix(rotation)
    for source, target in itertools.product(labels, repeat=2):
        rho_in, rho_out = (groups.irrep(group, label).rho(rotation[None])[0] for label in (source, target))
        weights = rng.normal(size=(len(exponents), rho_in.shape[0]))

        def field(where, weights=weights):
            return np.stack([np.prod(where**p, axis=1) for p in np.array(exponents)], axis=1) @ weights

        here, there = field(points), field(points @ image) @ rho_in.T
        for basis, exact in (("pdo", True), ("steerable", False)):
            kernels = irrep_kernels(group, source, target, size, basis)
            if not len(kernels):
                continue
            y, z = (np.einsum("npoi,pi->no", kernels, f) for f in (here, there))
            error = np.abs(z - y @ rho_out.T).max() / np.abs(y).max()
            if exact:
                assert error < 1e-12, (source, target)
            elif (source, target) == (labels[1], labels[2]):
                assert error > 1e-3


def any_element(group):
    matrix = np.linalg.qr(np.random.default_rng(5).normal(size=(group.dimension,) * 2))[0]
    wanted = -1 if group.mirrors else 1
    matrix[:, 0] *= wanted * np.sign(np.linalg.det(matrix))
    return matrix


def test_voxels_of_other_lengths():
    rows = [irrep_kernels("SO3", "0", "1", (3, 3, 3), "pdo", Derivatives(1, voxel_size=(1.0, 1.0, c))) for c in (1, 2)]
    gradient = [kernels[0, :, :, 0].reshape(3, 3, 3, 3) for kernels in rows]
    steps = [[np.abs(one[..., a]).max() for a in range(3)] for one in gradient]
    along = [np.abs(np.take(one, 2, axis=2)).max() / np.abs(np.take(one, 2, axis=0)).max() for one in gradient]
    assert along == pytest.approx([1.0, 0.5]) and np.ptp(steps[0]) < 1e-12


def test_elements_of_the_grid_permute_the_pixels_of_rotated_operators():
    found, group = rotated_basis("C8", (5, 5), "pdo"), groups.get("C8")
    rotated = grid.permute_pixels(found.basis.reshape(-1, 5, 5, 1, 1), group.matrices[2]).reshape(8, -1, 25)
    np.testing.assert_array_equal(rotated, found.basis[(np.arange(8) + 2) % 8])
    assert found.size == 15 and np.linalg.cond(found.basis[0]) < 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"maximum_order": -1}, "`maximum_order` must be an integer of at least 0"),
        ({"accuracy": 0}, "`accuracy` must be an integer of at least 1"),
        ({"accuracy": True}, "`accuracy` must be"),
        ({"smoothing": 0.0, "discretization": "gauss"}, "`smoothing` must be a positive number"),
        ({"smoothing": 1.0}, '`smoothing` is of discretization="gauss"'),
        ({"accuracy": 2, "discretization": "gauss"}, '`accuracy` is of discretization="fd"'),
        ({"discretization": "rbf"}, "`discretization` must be one of"),
    ],
)
def test_options(options, message):
    with pytest.raises(ValueError, match=message):
        Derivatives(**options)


@pytest.mark.parametrize(
    ("derivatives", "size", "needed"),
    [(Derivatives(3), (3, 3), 5), (Derivatives(2, accuracy=4), (3, 3), 5), (Derivatives(accuracy=4), (2, 2), 4)],
)
def test_what_does_not_fit_says_what_would(derivatives, size, needed):
    with pytest.raises(ValueError, match=f"use kernel_size={needed}") as error:
        derivatives.order(size)
    assert "Received: kernel_size=" in str(error.value)
    assert derivatives.order((needed, needed)) >= (derivatives.maximum_order or 0)


def test_dependent_stencils_say_what_would_do():
    narrow = Derivatives(discretization="gauss", smoothing=0.25)
    with pytest.raises(ValueError, match=r"independent on the pixels.*use maximum_order=(\d)") as error:
        irrep_kernels("SO2", "0", "0", (9, 9), "pdo", narrow)
    highest = int(str(error.value)[-1])
    fitting = Derivatives(highest, "gauss", smoothing=0.25)
    assert len(irrep_kernels("SO2", "0", "0", (9, 9), "pdo", fitting)) == highest // 2 + 1
    with pytest.raises(ValueError, match="a higher maximum_order"):
        steerable_basis(*(FieldType.parse(n, "SO2") for n in ("0", "3")), (5, 5), "pdo", Rings(), Derivatives(2))
