import numpy as np
import pytest

from keras_equivariant import groups

NAMES = ["C1", "C2", "C4", "C5", "C8", "D1", "D2", "D3", "D4", "D8"]


def own_group():
    """A group that is neither cyclic nor dihedral: the 24 rotations of the cube."""
    return groups.from_generators("cube", [[[0, -1, 0], [1, 0, 0], [0, 0, 1]], [[1, 0, 0], [0, 0, -1], [0, 1, 0]]])


@pytest.mark.parametrize("group", [*NAMES, own_group()], ids=str)
def test_irreps_are_complete_orthogonal_homomorphisms(group):
    group = groups.get(group)
    irreps = groups.irreps(group)
    for rho in irreps:
        products = np.einsum("aij,bjk->abik", rho.matrices, rho.matrices)
        np.testing.assert_allclose(products, rho.matrices[group.cayley], atol=1e-10)
        np.testing.assert_allclose(
            rho.matrices @ rho.matrices.transpose(0, 2, 1), np.eye(rho.dim)[None] + 0 * rho.matrices, atol=1e-10
        )
    assert sum(r.dim**2 // r.endomorphism_dimension for r in irreps) == group.order
    gram = np.array([[np.mean(a.character * b.character) for b in irreps] for a in irreps])
    np.testing.assert_allclose(gram, np.diag([r.endomorphism_dimension for r in irreps]), atol=1e-10)


def test_dimensions_of_known_groups():
    assert [(r.name, r.dim) for r in groups.irreps("D4")] == [("0+", 1), ("0-", 1), ("1", 2), ("2+", 1), ("2-", 1)]
    assert [(r.name, r.type) for r in groups.irreps("C4")] == [("0", "real"), ("1", "complex"), ("2", "real")]
    assert sorted(r.dim for r in groups.irreps(own_group())) == [1, 1, 2, 3, 3]


def test_regular_and_quotient_act_as_features_do():
    group, x = groups.get("D4"), np.random.default_rng(0).normal(size=(1, 8, 1))
    for element in range(8):
        moved = groups.act(x, group, element, "regular_vector")
        np.testing.assert_array_equal(groups.regular(group).matrices[element] @ x[0], moved[0])
    quotient = groups.quotient("D4", "C4")
    assert quotient.dim == 2
    np.testing.assert_array_equal(quotient.matrices[4], [[0, 1], [1, 0]])
    assert groups.trivial("D4").character.tolist() == [1] * 8
