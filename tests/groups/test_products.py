import numpy as np
import pytest

from keras_equivariant import groups

RNG = np.random.default_rng(2)


def cube():
    return groups.from_generators("cube", [[[0, -1, 0], [1, 0, 0], [0, 0, 1]], [[1, 0, 0], [0, 0, -1], [0, 1, 0]]])


def labels(group):
    if group in ("SO2", "O2"):
        return ["0", "1", "2", "3"] if group == "SO2" else ["0+", "0-", "1", "2", "3"]
    return [rho.name for rho in groups.irreps(group)]


def targets(group):
    """Enough irreps to hold the product of two of `labels`."""
    return labels(group) + (["4", "5", "6"] if group in ("SO2", "O2") else [])


def points(group, number=5):
    group = groups.get(group)
    if not isinstance(group, groups.ContinuousGroup):
        return group.matrices
    angles = RNG.uniform(0, 2 * np.pi, number)
    rotations = np.array([[[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]] for a in angles])
    return np.concatenate([rotations, np.diag([-1.0, 1.0]) @ rotations]) if group.mirrors else rotations


def check_homomorphism(rho):
    group = rho.group
    products = np.einsum("aij,bjk->abik", rho.matrices, rho.matrices)
    np.testing.assert_allclose(products, rho.matrices[group.cayley], atol=1e-13)


@pytest.mark.parametrize("group", ["C1", "C4", "C5", "C6", "D3", "D4", "D6", "SO2", "O2", cube()], ids=str)
def test_clebsch_gordan_is_equivariant_complete_and_canonical(group):
    g = points(group)
    for first in labels(group):
        for second in labels(group):
            one, two = groups.irrep(group, first), groups.irrep(group, second)
            product = np.einsum("gij,gkl->gikjl", one.rho(g), two.rho(g)).reshape(len(g), one.dim * two.dim, -1)
            rows = []
            for into in targets(group):
                maps = groups.clebsch_gordan(group, first, second, into)
                rho = groups.irrep(group, into)
                assert maps.shape[1:] == (rho.dim, one.dim, two.dim)
                for copy in maps.reshape(len(maps), rho.dim, one.dim * two.dim):
                    np.testing.assert_allclose(copy @ product, rho.rho(g) @ copy, atol=1e-12)
                    rows.append(copy)
                    assert copy.flat[np.argmax(np.abs(copy.ravel()) > 1e-9)] > 0
                    small = np.abs(copy[copy != 0]).min()
                    assert small > 1e-9 and not np.signbit(copy[copy == 0]).any()
            whole = np.concatenate(rows)
            assert whole.shape == (one.dim * two.dim,) * 2  # every component of the product is in one part
            np.testing.assert_allclose(whole @ whole.T, np.eye(len(whole)), atol=1e-12)


@pytest.mark.parametrize(
    ("group", "first", "second", "into", "copies"),
    [
        ("SO2", 1, 1, 2, 1),
        ("SO2", 1, 1, 0, 2),
        ("SO2", 1, 1, 1, 0),
        ("SO2", 2, 1, 1, 1),
        ("O2", 1, 1, "0+", 1),
        ("O2", 1, 1, "0-", 1),
        ("O2", 1, "0-", 1, 1),
        ("C4", 1, 1, 2, 2),
        ("D4", "E", "E", "B1", 1),
        ("D4", "E", "E", "B2", 1),
        ("D4", "B1", "B2", "A2", 1),
    ],
)
def test_number_of_copies(group, first, second, into, copies):
    assert len(groups.clebsch_gordan(group, first, second, into)) == copies


def test_coefficients_cannot_be_changed_and_are_the_textbook_ones():
    maps = groups.clebsch_gordan("O2", 1, 1, "0-")
    np.testing.assert_allclose(maps[0, 0], np.array([[0, 1], [-1, 0]]) / np.sqrt(2), atol=1e-15)  # the cross product
    dot = groups.clebsch_gordan("O2", 1, 1, "0+")[0, 0]
    np.testing.assert_allclose(dot, np.eye(2) / np.sqrt(2), atol=1e-15)
    with pytest.raises(ValueError, match="read-only"):
        maps[0] = 0


@pytest.mark.parametrize("group", ["C6", "D4", "D6", cube()], ids=str)
def test_sums_and_products_are_representations(group):
    parts = groups.irreps(group)
    total = groups.direct_sum(*parts, groups.regular(group))
    check_homomorphism(total)
    assert total.dim == sum(r.dim for r in parts) + groups.get(group).order
    product = groups.tensor_product(parts[-1], groups.regular(group))
    check_homomorphism(product)
    np.testing.assert_allclose(product.character, parts[-1].character * groups.regular(group).character, atol=1e-12)


def test_sums_and_products_of_continuous_groups():
    first, second = groups.irrep("O2", 2), groups.irrep("O2", "0-")
    g = points("O2")
    for rho in (groups.direct_sum(first, second), groups.tensor_product(first, second)):
        np.testing.assert_allclose(rho.rho(g) @ rho.rho(g[::-1]), rho.rho(g @ g[::-1]), atol=1e-12)
        assert rho.sampled()[0].shape[-1] == rho.dim
    assert groups.tensor_product(first, first).frequency == 4
    assert groups.decompose(groups.tensor_product(first, first)).multiplicities == {"0+": 1, "0-": 1, "4": 1}


@pytest.mark.parametrize(
    ("group", "subgroup", "label"), [("D4", "C4", "1"), ("D4", "D1", "0-"), ("C8", "C4", "2"), ("D6", "D2", "1+")]
)
def test_induced_representations_obey_frobenius(group, subgroup, label):
    inner = groups.irrep(subgroup, label)
    rho = groups.induced(group, subgroup, inner)
    check_homomorphism(rho)
    assert rho.dim == inner.dim * groups.get(group).order // groups.get(subgroup).order
    for psi in groups.irreps(group):
        outside = np.mean(psi.character * rho.character)
        inside = np.mean(psi.restricted(subgroup).character * inner.character)
        assert outside == pytest.approx(inside)


def test_induction_from_the_trivial_representation_is_the_quotient():
    induced = groups.induced("D4", "D2", groups.trivial("D2"))
    np.testing.assert_array_equal(induced.matrices, groups.quotient("D4", "D2").matrices)


def test_mixed_groups_are_refused():
    with pytest.raises(ValueError, match="must belong to one group"):
        groups.tensor_product(groups.irrep("C4", 1), groups.irrep("D4", 1))
    with pytest.raises(ValueError, match="must be one of the subgroup"):
        groups.induced("D4", "C4", groups.irrep("D4", 1))
    with pytest.raises(ValueError, match="Induction needs finite groups"):
        groups.induced("O2", "SO2", groups.irrep("SO2", 1))
    with pytest.raises(ValueError, match="at most"):
        groups.tensor_product(groups.regular("C32"), groups.regular("C32"))
