"""Spherical harmonics, Wigner matrices and 3j tensors against their laws and against scipy; means over SO(3)."""

import itertools

import numpy as np
import pytest
from scipy import special
from scipy.spatial.transform import Rotation

from keras_equivariant import FieldType, groups
from keras_equivariant.groups import quadrature, spherical

ROTATIONS = Rotation.from_quat(np.random.default_rng(0).normal(size=(6, 4))).as_matrix()
POINTS = np.random.default_rng(1).normal(size=(20, 3))


def test_degree_one_is_the_point_and_rotates_as_it():
    unit = POINTS / np.linalg.norm(POINTS, axis=1, keepdims=True)
    np.testing.assert_allclose(groups.spherical_harmonics(1, POINTS), unit, atol=1e-14)
    np.testing.assert_allclose(groups.wigner_d(1, ROTATIONS), ROTATIONS, atol=1e-14)
    np.testing.assert_allclose(groups.irrep("SO3", 1).rho(ROTATIONS), ROTATIONS, atol=1e-14)


def test_degree_two_is_as_written():
    x, y, z = (POINTS / np.linalg.norm(POINTS, axis=1, keepdims=True)).T
    root = np.sqrt(3)
    expected = [root * x * z, root * x * y, y**2 - (x**2 + z**2) / 2, root * y * z, root * (z**2 - x**2) / 2]
    np.testing.assert_allclose(groups.spherical_harmonics(2, POINTS), np.stack(expected, axis=1), atol=1e-14)


@pytest.mark.parametrize("degree", range(12))
def test_harmonics_are_those_of_scipy(degree):
    x, y, z = POINTS.T
    theta, phi = np.arccos(y / np.linalg.norm(POINTS, axis=1)), np.arctan2(x, z)
    found = groups.spherical_harmonics(degree, POINTS)
    norm = np.sqrt(4 * np.pi / (2 * degree + 1))
    for m in range(degree + 1):
        wave = norm * (-1) ** m * special.sph_harm_y(degree, m, theta, phi) * (np.sqrt(2) if m else 1)
        np.testing.assert_allclose(found[:, degree + m], wave.real, atol=1e-12)
        if m:
            np.testing.assert_allclose(found[:, degree - m], wave.imag, atol=1e-12)
    np.testing.assert_allclose(np.sum(found**2, axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("degree", [0, 1, 2, 3, 7, 11])
def test_wigner_matrices_rotate_the_harmonics(degree):
    matrices = groups.wigner_d(degree, ROTATIONS)
    np.testing.assert_allclose(
        matrices @ matrices.swapaxes(1, 2), np.tile(np.eye(2 * degree + 1), (6, 1, 1)), atol=1e-12
    )
    products = groups.wigner_d(degree, ROTATIONS[:3] @ ROTATIONS[3:])
    np.testing.assert_allclose(matrices[:3] @ matrices[3:], products, atol=1e-12)
    for rotation, matrix in zip(ROTATIONS, matrices, strict=True):
        moved = groups.spherical_harmonics(degree, POINTS @ rotation.T)
        np.testing.assert_allclose(moved, groups.spherical_harmonics(degree, POINTS) @ matrix.T, atol=1e-12)
    np.testing.assert_allclose(groups.wigner_d(degree, -ROTATIONS), (-1) ** degree * matrices, atol=1e-12)
    if degree:
        assert np.abs(matrices - matrices.swapaxes(1, 2)).max() > 0.1  # the inverse would not do


@pytest.mark.parametrize(
    "degrees", [(0, 0, 0), (1, 1, 1), (1, 2, 2), (2, 3, 4), (5, 6, 11), (11, 11, 11), (11, 10, 11)]
)
def test_the_3j_tensor_is_the_invariant(degrees):
    tensor = groups.wigner_3j(*degrees)
    first, second, third = (groups.wigner_d(degree, ROTATIONS[:2]) for degree in degrees)
    for a, b, c in zip(first, second, third, strict=True):
        moved = np.einsum("xyz,ax,by,cz->abc", tensor, a, b, c, optimize=True)
        np.testing.assert_allclose(moved, tensor, atol=1e-10)
    assert np.sum(tensor**2) == pytest.approx(1, abs=1e-12)
    sign = (-1) ** sum(degrees)
    for order in itertools.permutations(range(3)):
        even = order in ((0, 1, 2), (1, 2, 0), (2, 0, 1))
        permuted = groups.wigner_3j(*(degrees[i] for i in order))
        np.testing.assert_allclose(permuted, (1 if even else sign) * tensor.transpose(order), atol=1e-12)


def test_signs_of_the_3j_tensors_are_fixed():
    levi_civita = np.zeros((3, 3, 3))
    for (a, b, c), sign in {
        (0, 1, 2): 1,
        (1, 2, 0): 1,
        (2, 0, 1): 1,
        (0, 2, 1): -1,
        (2, 1, 0): -1,
        (1, 0, 2): -1,
    }.items():
        levi_civita[a, b, c] = sign
    np.testing.assert_allclose(groups.wigner_3j(1, 1, 1), levi_civita / np.sqrt(6), atol=1e-15)
    np.testing.assert_allclose(groups.wigner_3j(1, 1, 0)[..., 0], -np.eye(3) / np.sqrt(3), atol=1e-15)
    assert groups.wigner_3j(1, 1, 2)[0, 0, 4] == pytest.approx(-1 / np.sqrt(10))
    assert not groups.wigner_3j(1, 1, 3).any()


def test_clebsch_gordan_of_so3_and_o3():
    for labels in (("1", "2", "3"), ("2", "2", "1"), ("3", "2", "2")):
        (coupling,) = groups.clebsch_gordan("SO3", *labels)
        first, second, into = (groups.irrep("SO3", label).rho(ROTATIONS) for label in labels)
        for a, b, c in zip(first, second, into, strict=True):
            rotated = np.einsum("ijk,jx,ky->ixy", coupling, a, b)
            np.testing.assert_allclose(rotated, np.einsum("ij,jxy->ixy", c, coupling), atol=1e-12)
        rows = coupling.reshape(len(coupling), -1)
        np.testing.assert_allclose(rows @ rows.T, np.eye(len(rows)), atol=1e-12)
    assert groups.clebsch_gordan("SO3", 1, 1, 3).shape == (0, 7, 3, 3)
    assert len(groups.clebsch_gordan("O3", "1o", "1o", "1e")) == 1
    assert len(groups.clebsch_gordan("O3", "1o", "1o", "1o")) == 0


@pytest.mark.parametrize(("group", "text"), [("SO3", "irreps(3)"), ("O3", "irreps(2)")])
def test_irreps_are_orthogonal_homomorphisms(group, text):
    group = groups.get(group)
    elements = ROTATIONS * (np.array([1, -1, 1, -1, -1, 1])[:, None, None] if group.mirrors else 1)
    for block in FieldType.parse(text, group).blocks:
        rho = block.representation
        matrices = rho.rho(elements)
        np.testing.assert_allclose(matrices[:3] @ matrices[3:], rho.rho(elements[:3] @ elements[3:]), atol=1e-12)
        assert rho.type == "real" and rho.permutation == (rho.name in ("0", "0e"))
    labels = [block.representation.name for block in FieldType.parse(text, group).blocks]
    assert labels == {"SO3": ["0", "1", "2", "3"], "O3": ["0e", "0o", "1e", "1o", "2e", "2o"]}[group.name]


def test_the_inversion():
    inversion = -np.eye(3)[None]
    signs = {label: groups.irrep("O3", label).rho(inversion)[0, 0, 0] for label in ("0e", "0o", "1e", "1o", "2e", "2o")}
    assert signs == {"0e": 1, "0o": -1, "1e": 1, "1o": -1, "2e": 1, "2o": -1}
    np.testing.assert_allclose(groups.irrep("O3", "1o").rho(-ROTATIONS), -ROTATIONS, atol=1e-14)


def test_decompositions():
    product = groups.tensor_product(groups.irrep("SO3", 2), groups.irrep("SO3", 1))
    assert groups.decompose(product).multiplicities == {"1": 1, "2": 1, "3": 1}
    product = groups.tensor_product(groups.irrep("O3", "2e"), groups.irrep("O3", "1o"))
    found = groups.decompose(product)
    assert found.multiplicities == {"1o": 1, "2o": 1, "3o": 1}
    change, elements = found.change_of_basis, np.concatenate([ROTATIONS, -ROTATIONS])
    blocks = [part.rho(elements) for part, copies in found.parts for _ in copies]
    whole, start = change.T @ product.rho(elements) @ change, 0
    for block in blocks:
        part = slice(start, start := start + block.shape[1])
        np.testing.assert_allclose(whole[:, part, part], block, atol=1e-10)


@pytest.mark.parametrize(
    ("group", "text", "subgroup", "expected"),
    [
        ("SO3", "1x1", "O", "1xT1"),
        ("SO3", "2x2", "O", "2xE + 2xT2"),
        ("SO3", "1x3", "O", "1xA2 + 1xT1 + 1xT2"),
        ("SO3", "1x2", "I", "1xH"),
        ("O3", "1x1o", "Oh", "1xT1u"),
        ("O3", "1x1e + 1x0o", "Oh", "1xT1g + 1xA1u"),
        ("O3", "1x1o + 1x1e", "SO3", "1x1 + 1x1"),
    ],
)
def test_restriction(group, text, subgroup, expected):
    field_type, subgroup = FieldType.parse(text, group), groups.get(subgroup)
    found = groups.restriction(field_type, subgroup)
    assert str(found.out_type) == expected
    finite = isinstance(subgroup, groups.FiniteGroup)
    for block, parts in zip(field_type.blocks, found.maps, strict=True):
        change = np.concatenate([copy for copies in parts for copy in copies])
        for matrix in (subgroup.matrices if finite else ROTATIONS)[:12]:
            moved = change @ block.representation.rho(matrix[None])[0] @ change.T
            names = [name for (_, name), copies in zip(found.out_type.terms, parts, strict=False) for _ in copies]
            if len(field_type.blocks) == 1:
                sizes = [groups.irrep(subgroup, name).rho(matrix[None])[0] for name in names]
                np.testing.assert_allclose(np.trace(moved), sum(np.trace(size) for size in sizes), atol=1e-10)
        np.testing.assert_allclose(change @ change.T, np.eye(len(change)), atol=1e-10)


@pytest.mark.parametrize("label", ["A2", "E", "T1", "T2"])
def test_embeddings_are_restriction_the_other_way_round(label):
    representation = groups.irrep("O", label)
    found = groups.embeddings(representation, "SO3", 6)
    degrees = {
        "A2": ["3", "6"],
        "E": ["2", "4", "5", "6"],
        "T1": ["1", "3", "4", "5", "6"],
        "T2": ["2", "3", "4", "5", "6"],
    }
    assert list(found) == degrees[label]
    for degree, copies in found.items():
        for matrix in groups.get("O").matrices:
            whole, part = groups.wigner_d(int(degree), matrix[None])[0], representation.rho(matrix[None])[0]
            for copy in copies:
                np.testing.assert_allclose(whole @ copy, copy @ part, atol=1e-10)
    with pytest.raises(ValueError, match="`group` must contain O"):
        groups.embeddings(representation, "T")


@pytest.mark.parametrize(("degree", "number"), [(3, 6), (5, 14), (7, 26), (11, 50), (12, 48 * 91)])
def test_means_over_the_sphere(degree, number):
    points, weights = quadrature.cubic_sphere(degree)
    assert len(points) == number and weights.min() > 0 and weights.sum() == pytest.approx(1)
    means = [np.abs(weights @ groups.spherical_harmonics(n, points)).max() for n in range(1, degree + 1)]
    assert max(means) < 1e-13
    if number < 100:
        assert np.abs(weights @ groups.spherical_harmonics(degree + 1, points)).max() > 0.1
    assert permuted(points @ groups.get("Oh").matrices[7].T, points)


@pytest.mark.parametrize(("degree", "number"), [(3, 24), (5, 120), (9, 480)])
def test_means_over_rotations(degree, number):
    matrices, weights = quadrature.cubic_rotations(degree)
    assert len(matrices) == number and np.abs(np.linalg.det(matrices) - 1).max() < 1e-12
    means = [np.abs(np.tensordot(weights, groups.wigner_d(n, matrices), 1)).max() for n in range(1, degree + 1)]
    assert max(means) < 1e-13
    assert np.abs(np.tensordot(weights, groups.wigner_d(degree + 1, matrices), 1)).max() > 1e-3
    moved = groups.get("O").matrices[5] @ matrices
    assert permuted(moved.reshape(number, 9), matrices.reshape(number, 9))


def permuted(moved, points):
    distances = np.abs(moved[:, None] - points[None]).max(axis=2)
    return distances.min(axis=1).max() < 1e-12


@pytest.mark.parametrize("degree", [1, 4, 6])
def test_samples_of_the_groups(degree):
    matrices, weights = spherical.gauss_rotations(degree)
    assert np.abs(np.tensordot(weights, groups.wigner_d(degree, matrices), 1)).max() < 1e-13
    sample = groups.get("O3").sample(degree)
    assert sample.haar_weights.sum() == pytest.approx(1) and (np.linalg.det(sample.matrices) < 0).mean() == 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: groups.spherical_harmonics(41, POINTS), "from 0 to 40"),
        (lambda: groups.spherical_harmonics(1, np.zeros((4, 2))), r"shape \(\.\.\., 3\)"),
        (lambda: FieldType.parse("1x21", "SO3"), "up to 20"),
        (lambda: FieldType.parse("1x1", "O3"), "0e, 0o, 1e, 1o"),
        (lambda: FieldType.parse("1x1o", "SO3"), "SO3 has the irreps"),
        (lambda: FieldType.parse("irreps(21)", "O3"), "up to the degree 20"),
        (lambda: groups.get("SO3").discrete(8), "cannot be spaced equally"),
        (lambda: groups.rotation_matrix(10, axis=(0, 0, 0)), "`axis` must be"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_degree_20():
    """Above the degrees of e3nn: harmonics, Wigner matrices and 3j tensors to 20, couplings with harmonics of 40."""
    for degree in (15, 20):
        matrices = groups.wigner_d(degree, ROTATIONS)
        np.testing.assert_allclose(
            matrices @ matrices.swapaxes(1, 2), np.tile(np.eye(2 * degree + 1), (6, 1, 1)), atol=1e-11
        )
        moved = groups.spherical_harmonics(degree, POINTS @ ROTATIONS[0].T)
        np.testing.assert_allclose(moved, groups.spherical_harmonics(degree, POINTS) @ matrices[0].T, atol=1e-11)
    for degrees in ((20, 20, 20), (20, 13, 7), (12, 20, 32)):
        tensor = groups.wigner_3j(*degrees)
        gram = np.einsum("abc,abd->cd", tensor, tensor)
        np.testing.assert_allclose(gram, np.eye(2 * degrees[2] + 1) / (2 * degrees[2] + 1), atol=1e-13)
    tensor, (first, second, third) = (
        groups.wigner_3j(20, 13, 8),
        (groups.wigner_d(n, ROTATIONS[:1])[0] for n in (20, 13, 8)),
    )
    np.testing.assert_allclose(
        np.einsum("abc,xa,yb,zc->xyz", tensor, first, second, third, optimize=True), tensor, atol=1e-11
    )
    assert groups.irrep("SO3", 20).dim == 41
    exact = pytest.importorskip("sympy.physics.wigner")
    for degrees, m in (((20, 20, 20), (7, -3)), ((20, 13, 8), (-11, 5)), ((15, 20, 12), (0, 3))):
        known = float(exact.wigner_3j(*degrees, *m, -sum(m)))
        assert abs(spherical._racah(*degrees, *m) - known) < 1e-14
