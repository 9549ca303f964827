import numpy as np
import pytest

from keras_equivariant import groups
from keras_equivariant.groups import Representation

RNG = np.random.default_rng(0)
FINITE = ["C1", "C2", "C3", "C4", "C5", "C6", "C8", "C16", "D1", "D2", "D3", "D4", "D5", "D6", "D8", "D16"]
UP_DOWN = [[1, 0], [0, -1]]
QUARTER = [[0, -1], [1, 0]]


def elements(group, number=6):
    """Matrices of random elements of SO(2) or O(2)."""
    angles = RNG.uniform(0, 2 * np.pi, number)
    rotations = np.array([[[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]] for a in angles])
    mirrors = np.array([np.eye(2), np.diag([-1.0, 1.0])])[RNG.integers(0, 2, number)]
    return mirrors @ rotations if group.mirrors else rotations


def own_groups():
    """Groups of the plane whose mirrors and element order are not those of D_n."""
    diagonal = [[0, 1], [1, 0]]
    tilted = [[np.cos(1), np.sin(1)], [np.sin(1), -np.cos(1)]]
    third = [[-0.5, -np.sqrt(0.75)], [np.sqrt(0.75), -0.5]]
    return [
        groups.from_generators("up_down", [UP_DOWN]),
        groups.from_generators("up_down_first", [UP_DOWN, QUARTER]),
        groups.from_generators("diagonals", [diagonal, [[-1, 0], [0, -1]]]),
        groups.from_generators("triangle", [third, UP_DOWN]),
        groups.from_generators("tilted", [tilted, QUARTER]),
    ]


@pytest.mark.parametrize("group", [*FINITE, *own_groups()], ids=str)
def test_irreps_of_finite_groups_are_complete_and_orthogonal(group):
    group = groups.get(group)
    irreps = groups.irreps(group)
    for rho in irreps:
        products = np.einsum("aij,bjk->abik", rho.matrices, rho.matrices)
        np.testing.assert_allclose(products, rho.matrices[group.cayley], atol=1e-13)
        np.testing.assert_allclose(
            rho.matrices @ rho.matrices.transpose(0, 2, 1),
            rho.matrices[:1] @ np.ones((group.order, 1, 1))
            if rho.dim == 1
            else np.broadcast_to(np.eye(rho.dim), rho.matrices.shape),
            atol=1e-13,
        )
    gram = np.array([[np.mean(a.character * b.character) for b in irreps] for a in irreps])
    np.testing.assert_allclose(gram, np.diag([r.endomorphism_dimension for r in irreps]), atol=1e-13)
    assert sum(r.dim**2 // r.endomorphism_dimension for r in irreps) == group.order
    assert len({r.name for r in irreps}) == len(irreps)


@pytest.mark.parametrize("name", ["SO2", "O2"])
def test_irreps_of_continuous_groups_are_homomorphisms_at_any_angle(name):
    group = groups.get(name)
    a, b = elements(group), elements(group)
    labels = [0, 1, 2, 5, 64] if name == "SO2" else ["0+", "0-", 1, 2, 5, 64]
    for label in labels:
        rho = groups.irrep(group, label)
        np.testing.assert_allclose(rho.rho(a) @ rho.rho(b), rho.rho(a @ b), atol=1e-12)
        np.testing.assert_allclose(
            rho.rho(a) @ rho.rho(a).transpose(0, 2, 1),
            np.broadcast_to(np.eye(rho.dim), (len(a), rho.dim, rho.dim)),
            atol=1e-13,
        )
    np.testing.assert_allclose(groups.irrep(group, 1).rho(a), a, atol=1e-15)
    assert not np.allclose(groups.irrep(group, 2).rho(a), a @ a @ a)


def test_characters_of_continuous_groups_are_orthogonal():
    group, mirror = groups.get("O2"), np.diag([-1.0, 1.0])
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    rotations = np.array([[[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]] for a in angles])
    whole = np.concatenate([rotations, mirror @ rotations])
    traces = [np.trace(groups.irrep(group, k).rho(whole), axis1=1, axis2=2) for k in ("0+", "0-", 1, 2, 3)]
    np.testing.assert_allclose(np.array(traces) @ np.array(traces).T / len(whole), np.eye(5), atol=1e-13)


def test_types():
    assert {r.name: r.type for r in groups.irreps("C6")} == {"0": "real", "1": "complex", "2": "complex", "3": "real"}
    assert {r.type for r in groups.irreps("D6")} == {"real"}
    assert groups.irrep("SO2", 3).type == "complex"
    assert groups.irrep("O2", 3).type == groups.irrep("O2", "0-").type == "real"
    rotation = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])  # C4 in space: the same types, no labels
    assert [r.type for r in groups.irreps(groups.from_generators("axis", [rotation]))] == ["real", "real", "complex"]


def value(label, matrix, group="D4"):
    return groups.irrep(group, label).rho(np.array([matrix], dtype=float))[0].squeeze()


def test_signs_of_d4_are_those_of_the_convention():
    left_right, diagonal = [[-1, 0], [0, 1]], [[0, 1], [1, 0]]
    for element, matrix in enumerate(groups.get("D4").matrices):
        point = np.array([0.3, 0.7])
        x, y = point
        moved_x, moved_y = matrix @ point
        assert value("A1", matrix) == 1, element
        assert value("A2", matrix) == round(np.linalg.det(matrix))
        assert moved_x**2 - moved_y**2 == pytest.approx(value("B1", matrix) * (x**2 - y**2))
        assert moved_x * moved_y == pytest.approx(value("B2", matrix) * x * y)
        np.testing.assert_array_equal(value("E", matrix), matrix)
    assert (value("2+", left_right), value("2-", left_right)) == (1, -1)
    assert (value("2+", diagonal), value("2-", diagonal)) == (-1, 1)


@pytest.mark.parametrize(
    ("group", "alias", "label"),
    [
        ("D4", "A1", "0+"),
        ("D4", "A2", "0-"),
        ("D4", "B1", "2+"),
        ("D4", "B2", "2-"),
        ("D4", "E", "1"),
        ("D4", "trivial", "0+"),
        ("D4", "irrep(1)", "1"),
        ("D6", "E1", "1"),
        ("D6", "E2", "2"),
        ("D6", "B1", "3+"),
        ("C4", "A", "0"),
        ("C4", "B", "2"),
        ("C4", "trivial", "0"),
        ("SO2", "trivial", "0"),
        ("SO2", "E3", "3"),
        ("O2", "trivial", "0+"),
        ("O2", "A2", "0-"),
        ("O2", " 1 ".strip(), "1"),
    ],
)
def test_aliases(group, alias, label):
    assert groups.irrep(group, alias).name == label


def test_trivial_has_a_name_in_space_as_well():
    rotation = groups.from_generators("half", [np.diag([-1.0, -1.0, 1.0])])
    assert groups.irrep(rotation, "trivial").name == "irrep(0)"
    np.testing.assert_array_equal(groups.irrep(rotation, "irrep(1)").matrices.ravel(), [1, -1])


@pytest.mark.parametrize(
    ("group", "label"),
    [
        ("D4", "3"),
        ("D4", "0"),
        ("D4", "2"),
        ("D3", "B1"),
        ("C4", "0+"),
        ("C4", "A1"),
        ("C3", "B"),
        ("SO2", "0+"),
        ("SO2", "B"),
        ("SO2", "-1"),
        ("SO2", "65"),
        ("SO2", "9" * 5000),
        ("O2", "0"),
        ("O2", "1+"),
        ("D4", "nonsense"),
        ("D4", ""),
    ],
)
def test_unknown_labels_are_refused_with_those_there_are(group, label):
    with pytest.raises(ValueError, match=f"{group} has the irreps "):
        groups.irrep(group, label)


def test_continuous_groups_have_no_list_of_irreps():
    with pytest.raises(ValueError, match="irreps without end"):
        groups.irreps("SO2")


@pytest.mark.parametrize("group", own_groups(), ids=str)
def test_own_groups_of_the_plane_have_labels(group):
    mirrored = np.linalg.det(group.matrices) < 0
    names = [r.name for r in groups.irreps(group)]
    assert names[:2] == ["0+", "0-"]
    assert groups.irrep(group, "trivial").name == "0+"
    np.testing.assert_array_equal(groups.irrep(group, "A2").matrices.ravel(), np.where(mirrored, -1, 1))


def test_up_down_generator_gives_the_signs_of_d4():
    group = groups.from_generators("up_down_first", [UP_DOWN, QUARTER])
    for rho in groups.irreps(group):
        np.testing.assert_array_equal(rho.matrices, groups.irrep("D4", rho.name).rho(group.matrices))


def test_regular_quotient_and_trivial():
    d4 = groups.get("D4")
    for rho in [groups.regular(d4), groups.quotient(d4, "C2"), groups.quotient(d4, (0, 5)), groups.trivial(d4)]:
        products = np.einsum("aij,bjk->abik", rho.matrices, rho.matrices)
        np.testing.assert_array_equal(products, rho.matrices[d4.cayley])
        assert rho.permutation
    assert groups.regular(d4).character.tolist() == [8] + [0] * 7
    assert groups.quotient(d4, "C4").character.tolist() == [2] * 4 + [0] * 4
    assert not groups.irrep(d4, "E").permutation
    assert not groups.irrep("SO2", 4).permutation
    assert groups.trivial("SO2").rho(elements(groups.get("SO2"))).shape == (6, 1, 1)


def test_continuous_groups_have_no_functions_on_them():
    with pytest.raises(ValueError, match="need a finite group"):
        groups.regular("SO2")
    with pytest.raises(ValueError, match="needs a finite group"):
        _ = groups.irrep("O2", 1).matrices


def test_matrices_too_large_to_keep_are_refused():
    with pytest.raises(ValueError, match="at most"):
        groups.regular("C720")
    assert len(groups.irreps("C720")) == 361


def test_representations_cannot_be_changed():
    rho = Representation(groups.get("C1"), "one", np.ones((1, 1, 1)))
    with pytest.raises(ValueError, match="read-only"):
        rho.matrices[0] = 2
